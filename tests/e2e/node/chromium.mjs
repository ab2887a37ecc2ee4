// Debian's Chromium, without a window.
import { chromium } from 'playwright-core'

/** The limit of each step of a page, in milliseconds. It has room for a busy machine. */
export const TIMEOUT = 120_000

/** Starts the browser. Chromium has no sandbox for root, and the shared memory of a container is small. */
export const launch = (executablePath, ...args) =>
  chromium.launch({ executablePath, timeout: TIMEOUT, args: ['--no-sandbox', '--disable-dev-shm-usage', ...args] })

/** Takes a picture of the page. On a busy machine Chromium sometimes fails to capture a frame, so it tries three times. */
export async function takePicture(page, path, options = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await page.screenshot({ path, ...options })
    } catch (error) {
      if (attempt === 3 || !error.message.includes('Unable to capture screenshot')) throw error
    }
  }
}
