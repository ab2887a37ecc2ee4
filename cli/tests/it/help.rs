//! The examples of `--help`: each can be copied and pasted.

use std::process::Stdio;

use crate::{BINARY, command_line, started};
use testing::{CommandLine, TestApp};

/// The width of a small terminal. A longer line would be broken, and could not be pasted.
const WIDTH: usize = 80;

/// Returns the commands below these words, by the list in their help.
fn commands(help: &str) -> Vec<String> {
    let list = help.split_once("\nCommands:\n").map(|(_, rest)| rest.split("\n\n").next().unwrap());
    let names = list.into_iter().flat_map(str::lines).filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Returns the help of every command.
async fn all_help(line: &CommandLine) -> Vec<String> {
    let (mut open, mut found) = (vec![Vec::<String>::new()], Vec::new());
    while let Some(words) = open.pop() {
        let arguments: Vec<_> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = line.run(&arguments).await.out;
        open.extend(commands(&help).into_iter().map(|name| [&words[..], &[name]].concat()));
        found.push(help);
    }
    found
}

/// Returns the examples of a help text, each with its continuation lines.
fn examples(help: &str) -> Vec<String> {
    let Some((_, text)) = help.split_once("\nExample") else { return Vec::new() };
    let mut examples: Vec<String> = Vec::new();
    let mut continues = false;
    for line in text.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with("  ")) {
        match examples.last_mut().filter(|_| continues) {
            Some(example) => example.extend(["\n", line]),
            None if line.trim().is_empty() => continue,
            None => examples.push(line.trim().to_owned()),
        }
        continues = line.ends_with('\\');
    }
    examples
}

/// Runs an example in a shell, without a terminal. Returns stdout and stderr.
async fn run(test: &TestApp, example: &str) -> String {
    let binaries = std::path::Path::new(BINARY).parent().unwrap().display();
    let folder = testing::fresh_path("help");
    std::fs::create_dir_all(&folder).unwrap();
    let mut shell = command_line(test).program("bash", &["-c", &format!("exec 2>&1; {example}")]);
    shell
        .env("PATH", format!("{binaries}:/usr/bin:/bin"))
        .env("HOME", &folder)
        .current_dir(&folder)
        .stdin(Stdio::null());
    let output = shell.output().await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn each_example_of_a_help_fits_a_terminal_and_is_a_valid_command() {
    let test = started().await;
    let line = command_line(&test);
    let mut count = 0;
    for example in all_help(&line).await.iter().flat_map(|help| examples(help)) {
        assert!(example.lines().all(|line| line.len() + 2 <= WIDTH), "{example}");
        count += 1;
        // These would call the network, or need a certificate in a file.
        if ["aws ", "curl ", "openssl s_client", "openssl x509"].iter().any(|program| example.contains(program)) {
            continue;
        }
        let printed = run(&test, &example).await;
        assert!(!printed.contains("Usage: ") && !printed.contains("unexpected argument"), "{example}\n{printed}");
    }
    assert!(count > 30, "{count}");
}
