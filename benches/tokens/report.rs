//! What is printed: tables in Markdown, and at the end one line for each part.

/// What the parts have to say at the end.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
}

impl Report {
    /// Keeps a part's line for the end.
    pub fn sum_up(&mut self, part: &str, line: &str) {
        println!("{part}: {line}\n");
        self.lines.push(format!("{part}: {line}"));
    }

    /// Prints what was kept.
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

/// Prints how the figures came about, or why there are none.
pub fn note(text: &str) {
    println!("{text}\n");
}

/// A row of a table.
pub fn row<const N: usize>(cells: [&dyn ToString; N]) -> Vec<String> {
    cells.map(ToString::to_string).into()
}

/// A figure with three digits that count.
pub fn figure(value: f64) -> String {
    match value.abs() {
        ..0.01 => format!("{value:.4}"),
        0.01..1.0 => format!("{value:.3}"),
        1.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A figure beside the most that it shall be.
pub fn at_most(value: f64, unit: &str, goal: f64) -> String {
    format!("{}{unit} (goal: at most {goal}, {})", figure(value), if value <= goal { "met" } else { "missed" })
}

/// A figure beside the least that it shall be.
pub fn at_least(value: f64, unit: &str, goal: f64) -> String {
    format!("{}{unit} (goal: at least {goal}, {})", figure(value), if value >= goal { "met" } else { "missed" })
}
