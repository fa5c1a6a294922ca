//! Events to recordings, as a recorder makes them, but for what it asks of the target's process.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use pytrace::event::{CodeRecord, Event, EventKind, Text, decode};
use pytrace::format::ChromeWriter;
use pytrace::recording::{Collector, Footer, Recording};
use pytrace::scope::{CodeFacts, Resolver, Scope, Verdict, kind_of};
use pytrace::trace::{Builder, Call, Category, Classify, Code, Filter, Gap, Sink, Time, Totals};
use pytrace::value::{DEFAULT_REDACTION, Describer, Redaction};

/// What a recording is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What to leave out.
    pub filter: Filter,
    /// Whether values are put in words.
    pub values: bool,
    /// Whether time goes on from event to event, as the kernel's clock does.
    pub steady: bool,
}

/// What became of a stream of records.
#[derive(Debug)]
pub struct Made {
    /// The calls, kept in memory.
    pub recording: Recording,
    /// The same calls, as a trace file.
    pub file: Vec<u8>,
    /// What the builder counts.
    pub totals: Totals,
}

/// Decodes records and builds calls of them. What is no record is left out.
pub fn record<'a>(records: impl Iterator<Item = &'a [u8]>, options: Options) -> Made {
    let redaction = Redaction::new(DEFAULT_REDACTION).expect("it is ours");
    let describer = options.values.then(|| Describer::new(redaction, 200, 8));
    let mut builder = Builder::new(Files::new(), options.filter).with_values(describer);
    let mut file = Vec::new();
    let mut sink = Both {
        writer: ChromeWriter::new(&mut file),
        collector: Collector::new(),
    };
    let mut described = HashSet::new();
    let mut now = 0u64;
    let taken = "memory takes any call";
    for mut event in records.filter_map(|record| decode(record).ok()) {
        if options.steady {
            now += event.time.0 % (1 << 32);
            event.time = Time(now);
        }
        if let Some(first) = undescribed(&event, &mut described) {
            builder.push(&first, &mut sink).expect(taken);
        }
        builder.push(&event, &mut sink).expect(taken);
        now = now.max(event.time.0);
    }
    builder.finish(Time(now), &mut sink).expect(taken);
    let Both { writer, collector } = sink;
    let footer = Footer {
        format: Footer::FORMAT,
        ..Footer::default()
    };
    let ended = writer.finish(&footer).expect(taken);
    assert_eq!(ended.unwritten, 0);
    Made {
        recording: collector.finish(footer),
        file,
        totals: builder.totals(),
    }
}

/// The kernel programs describe a code object before its use, whatever else is lost, and the builder
/// relies on it: what the mutator took away is put back.
fn undescribed<'a>(event: &Event<'a>, described: &mut HashSet<(u32, u64)>) -> Option<Event<'a>> {
    let pid = event.thread.pid;
    let code = match &event.kind {
        EventKind::Code(record) => {
            described.insert((pid, record.address));
            return None;
        }
        EventKind::Exec { .. } | EventKind::ProcessEnd { .. } => {
            described.retain(|(of, _)| *of != pid);
            return None;
        }
        EventKind::Enter { code, .. } | EventKind::Running { code, .. } => *code,
        _ => return None,
    };
    if !described.insert((pid, code)) {
        return None;
    }
    let text = |text: &str| Text {
        text: text.to_owned(),
        whole: None,
    };
    let record = CodeRecord {
        address: code,
        id: code,
        flags: 0,
        first_line: 1,
        filename: text("/p/x.py"),
        name: text("undescribed"),
        qualifier: None,
        first_argument: String::new(),
    };
    Some(Event {
        kind: EventKind::Code(record),
        ..event.clone()
    })
}

/// The scope's rules, for files that are where their names say.
struct Files(Scope);

impl Files {
    fn new() -> Files {
        let directory = PathBuf::from("/p");
        Files(Scope::new(
            std::slice::from_ref(&directory),
            &directory,
            Box::new(AsNamed),
        ))
    }
}

impl Classify for Files {
    fn classify(&mut self, _pid: u32, record: &CodeRecord) -> Code {
        let place = self.0.locate(&record.filename.text);
        Code {
            name: record.name.text.clone(),
            file: place.file.to_string(),
            line: record.first_line,
            kind: kind_of(&CodeFacts {
                name: record.name.text.rsplit('.').next().unwrap_or_default(),
                qualname: Some(&record.name.text),
                flags: Some(record.flags),
                first_argument: Some(&record.first_argument),
                verdict: place.verdict,
            }),
            category: match place.verdict {
                Verdict::Internal => Category::Internal,
                Verdict::External => Category::External,
                Verdict::Import => Category::Import,
            },
        }
    }
}

/// A file system in which every path is a real one.
#[derive(Debug)]
pub struct AsNamed;

impl Resolver for AsNamed {
    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        Some(path.to_owned())
    }

    fn is_directory(&self, _path: &Path) -> bool {
        true
    }
}

/// A trace file and a recording in memory.
struct Both<'f> {
    writer: ChromeWriter<&'f mut Vec<u8>>,
    collector: Collector,
}

impl Sink for Both<'_> {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        self.writer.call(call)?;
        self.collector.call(call)
    }

    fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        self.writer.gap(gap)?;
        self.collector.gap(gap)
    }
}
