//! What was measured, as a table.

use std::time::Duration;

/// What the project has set itself for ten million calls, by how a label begins.
const TARGETS: &[(&str, &str)] = &[
    ("load, s", "15"),
    ("most memory ever", "1200"),
    ("first paint data", "1000"),
    ("expand", "100"),
    ("scroll", "100"),
    ("search, an answer", "100"),
    ("largest answer", "1000"),
    ("tab: first rows", "1000"),
    ("tab: memory", "300"),
];

/// Labels and numbers, in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Figures(Vec<(String, String)>);

impl Figures {
    pub(crate) fn add(&mut self, label: &str, number: f64) {
        let text = match number {
            _ if number < 10.0 => format!("{number:.2}"),
            _ if number < 100.0 => format!("{number:.1}"),
            _ => format!("{number:.0}"),
        };
        self.say(label, text);
    }

    pub(crate) fn say(&mut self, label: &str, text: String) {
        self.0.push((label.to_owned(), text));
    }

    /// Median, 95th percentile and maximum.
    pub(crate) fn spread(&mut self, label: &str, times: &mut [Duration]) {
        times.sort_unstable();
        let Some(&longest) = times.last() else {
            return;
        };
        let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
        let [median, most, longest] =
            [at(0.5), at(0.95), longest].map(|time| time.as_secs_f64() * 1e3);
        self.say(label, format!("{median:.1} / {most:.1} / {longest:.1}"));
    }
}

/// Prints a column for each size.
pub(crate) fn print(columns: &[(String, Figures)]) {
    println!("p50 / p95 / max of times in ms; targets are those of ten million calls, at p95");
    println!();
    print!("{:<44}", "calls");
    for (size, _) in columns {
        print!(" {size:>24}");
    }
    println!(" {:>8}", "target");
    let mut labels: Vec<&str> = Vec::new();
    for (label, _) in columns.iter().flat_map(|(_, figures)| &figures.0) {
        if !labels.contains(&label.as_str()) {
            labels.push(label);
        }
    }
    for label in labels {
        print!("{label:<44}");
        for (_, figures) in columns {
            let found = figures.0.iter().find(|(name, _)| name == label);
            print!(" {:>24}", found.map_or("-", |(_, text)| text.as_str()));
        }
        let target = TARGETS.iter().find(|(start, _)| label.starts_with(start));
        println!(" {:>8}", target.map_or("", |(_, target)| target));
    }
}
