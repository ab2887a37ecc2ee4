//! The output: Markdown tables, and at the end a summary with one line for each part.

/// The lines of the summary.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
}

impl Report {
    /// Prints the summary of a part, and keeps it for the end.
    pub fn sum_up(&mut self, part: &str, line: &str) {
        println!("{part}: {line}\n");
        self.lines.push(format!("{part}: {line}"));
    }

    /// Prints the summaries of all parts.
    pub fn end(&self) {
        println!("\n### Summary\n");
        for line in &self.lines {
            println!("- {line}");
        }
    }
}

/// Prints a table.
pub fn table(title: &str, columns: &[&str], rows: &[Vec<String>]) {
    println!("\n### {title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    println!();
}

/// Prints a paragraph.
pub fn note(text: &str) {
    println!("{text}\n");
}

/// Returns a row of a table.
pub fn row<const N: usize>(cells: [&dyn ToString; N]) -> Vec<String> {
    cells.map(ToString::to_string).into()
}

/// Formats a figure with about three significant digits.
pub fn figure(value: f64) -> String {
    match value.abs() {
        ..0.01 => format!("{value:.4}"),
        0.01..1.0 => format!("{value:.3}"),
        1.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Formats a figure with its goal, an upper limit.
pub fn at_most(value: f64, unit: &str, goal: f64) -> String {
    format!("{}{unit} (goal: at most {goal}, {})", figure(value), if value <= goal { "met" } else { "missed" })
}

/// Formats a figure with its goal, a lower limit.
pub fn at_least(value: f64, unit: &str, goal: f64) -> String {
    format!("{}{unit} (goal: at least {goal}, {})", figure(value), if value >= goal { "met" } else { "missed" })
}
