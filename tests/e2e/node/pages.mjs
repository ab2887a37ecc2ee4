// Opens every page in Chromium: axe-core, the keyboard, texts of an attacker, the content security policy.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { TIMEOUT, launch, takePicture } from './chromium.mjs'

const settings = JSON.parse(process.env.COUNTERSIGN)
const { address, chromium: executablePath, pages, scenario, screenshots } = settings
const FOCUSABLE = 'a[href], button, input:not([type=hidden]), select'

const browser = await launch(executablePath)

async function inContext(options, use) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1000, height: 700 }, ...options })
  context.setDefaultTimeout(TIMEOUT)
  try {
    return await use(await context.newPage())
  } finally {
    await context.close()
  }
}

/** Checks the accessibility of every page, and that no part is wider than the window or too small to touch. */
async function axe() {
  const script = await readFile(settings.axe, 'utf8')
  let checked = 0
  for (const colorScheme of ['light', 'dark']) {
    for (const locale of ['en-GB', 'de-DE']) {
      // Two at a time, for two cores.
      await Promise.all([1000, 320].map((width) =>
        // The policy would not let axe-core run.
        inContext({ bypassCSP: true, colorScheme, locale, viewport: { width, height: 700 } }, async (page) => {
          for (const path of ['brand', 'long'].flatMap((look) => pages.map((name) => `${look}/${name}`))) {
            const place = `${path} ${colorScheme} ${locale} ${width}`
            await page.goto(`${address}/${path}`)
            await page.evaluate(script)
            const { violations } = await page.evaluate(() => globalThis.axe.run())
            assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], place)
            assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, place)
            const small = await page.locator('button, input:not([type=hidden]), select').evaluateAll((controls) =>
              controls.filter((control) => control.getBoundingClientRect().height < 44).map(({ outerHTML }) => outerHTML))
            assert.deepEqual(small, [], place)
            if (path.startsWith('brand')) {
              const file = `${path.replace('/', '-')}-${colorScheme}-${locale.slice(0, 2)}-${width}.png`
              await takePicture(page, `${screenshots}/${file}`, { fullPage: true })
            }
            checked += 1
          }
        })))
    }
  }
  return { checked }
}

/** Visits every control with the Tab key, in the order of the page, with a visible focus; then without the style. */
async function keyboard() {
  await inContext({}, async (page) => {
    for (const name of pages) {
      await page.goto(`${address}/brand/${name}`)
      const controls = page.locator(FOCUSABLE)
      const begins = await page.evaluate(() => document.activeElement.id)
      const hasProblem = await page.locator('#problem').count() === 1
      assert.equal(begins, hasProblem ? 'problem' : '', name)
      if (hasProblem) {
        // The summary links to the field.
        await page.keyboard.press('Tab')
        const field = await page.evaluate(() => document.activeElement.hash.slice(1))
        await page.keyboard.press('Enter')
        await page.waitForFunction((id) => document.activeElement.id === id, field)
        await page.goto(`${address}/brand/${name}`)
      }
      for (let index = 0; index < await controls.count(); index += 1) {
        const control = await controls.nth(index).elementHandle()
        // A date field has a stop for each of its parts.
        for (let stop = 0; stop < 5 && !await control.evaluate((element) => element === document.activeElement); stop += 1) {
          await page.keyboard.press('Tab')
        }
        const [isFocused, outline] = await control.evaluate((element) => {
          const shown = element.closest('.select') ?? element
          return [element === document.activeElement, getComputedStyle(shown).outlineStyle]
        })
        assert.deepEqual([isFocused, outline], [true, 'solid'], `${name} ${index}`)
      }
      await page.evaluate(() => document.querySelector('style').remove())
      for (const control of await controls.all()) {
        assert.equal(await control.isVisible(), true, name)
      }
      assert.equal(await page.locator('h1').isVisible(), true, name)
    }
  })
  return { checked: pages.length }
}

/** Opens the pages with the texts of an attacker. */
async function hostile() {
  let checked = 0
  await inContext({}, async (page) => {
    const events = []
    page.on('dialog', (dialog) => { events.push(dialog.message()); dialog.dismiss() })
    page.on('console', (message) => events.push(message.text()))
    page.on('pageerror', (error) => events.push(error.message))
    page.on('request', (request) => {
      if (!request.url().startsWith(address) || !request.isNavigationRequest()) events.push(request.url())
    })
    for (let look = 0; (await page.request.get(`${address}/hostile-${look}/login`)).ok(); look += 1) {
      for (const name of pages) {
        const url = `${address}/hostile-${look}/${name}`
        await page.goto(url)
        // Console messages of a response with an error status are expected.
        const unexpected = events.splice(0).filter((event) => !event.startsWith('Failed to load resource'))
        assert.deepEqual(unexpected, [], url)
        const found = await page.evaluate(() => [
          document.scripts.length, document.images.length, document.querySelectorAll('base, meta[http-equiv], svg').length,
          [...document.querySelectorAll('*')].filter((element) => [...element.attributes].some(({ name }) => /^on|^style$/.test(name))).length,
          location.href,
        ])
        assert.deepEqual(found, [0, 0, 0, 0, url], url)
        checked += 1
      }
    }
  })
  return { checked }
}

/** Checks that the policy lets the style and the logo pass, and that no page is shown in a frame. */
async function policy() {
  await inContext({}, async (page) => {
    const messages = []
    page.on('console', (message) => messages.push(message.text()))
    for (const name of pages) {
      await page.goto(`${address}/logo/${name}`)
      const [width, logo] = await page.evaluate(() =>
        [getComputedStyle(document.querySelector('main')).maxWidth, document.querySelector('.brand img').naturalWidth])
      assert.equal(width, name.startsWith('account') ? '640px' : '432px', name)
      assert.ok(logo > 0, name)
      assert.deepEqual(messages.splice(0).filter((text) => !text.startsWith('Failed to load resource')), [], name)
    }
    await page.goto(`${address}/logo.svg`)
    for (const name of pages) {
      await page.goto(`${address}/frame/${name}`)
      const [, frame] = page.frames()
      await frame.waitForLoadState()
      assert.equal(await frame.locator('[data-page]').count(), 0, name)
      assert.ok(messages.splice(0).some((text) => /frame/i.test(text)), name)
    }
  })
  return { checked: pages.length }
}

try {
  console.log(JSON.stringify(await { axe, hostile, keyboard, policy }[scenario]()))
} finally {
  await browser.close()
}
