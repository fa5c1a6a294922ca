//! What is missing, and the stack behind it.

use super::*;
use crate::trace::Missing;

/// Calls and gaps in the order in which a sink gets them.
#[derive(Default)]
struct Heard {
    calls: Vec<Call>,
    gaps: Vec<Gap>,
    order: Vec<String>,
}

impl Sink for Heard {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        self.order.push(call.code.name.clone());
        self.calls.push(call.clone());
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        self.order.push(format!("-{}", gap.lost()));
        self.gaps.push(*gap);
        Ok(())
    }
}

/// One thread's events, one after the other, a nanosecond apart.
struct Thread {
    builder: Builder<ByName>,
    heard: Heard,
    time: u64,
}

impl Thread {
    fn new() -> Thread {
        let mut thread = Thread {
            builder: builder(),
            heard: Heard::default(),
            time: 0,
        };
        for (address, name) in [(1, "main"), (2, "f"), (3, "g")] {
            thread.push(code(address, name));
        }
        thread
    }

    fn push(&mut self, kind: EventKind<'_>) {
        self.time += 1;
        let event = Event {
            thread: ThreadId { pid: 1, tid: 1 },
            time: Time(self.time),
            kind,
        };
        self.builder
            .push(&event, &mut self.heard)
            .expect("memory takes it");
    }

    /// The function's code object has the address of its frame over ten.
    fn enter(&mut self, frame: u64, previous: u64) {
        self.push(EventKind::Enter {
            frame,
            previous,
            code: frame / 10,
            how: Enter::Start,
            values: &[],
        });
    }

    fn exit(&mut self, frame: u64) {
        self.push(EventKind::Exit {
            frame,
            how: Leave::Return,
            exception: &[],
            values: &[],
        });
    }

    /// Events are lost; then these frames run, innermost first.
    fn lose(&mut self, starts: u64, ends: u64, running: &[u64]) {
        let since = Time(self.time);
        self.push(EventKind::Gap(Missing {
            since,
            starts,
            ends,
        }));
        for (depth, frame) in (0..).zip(running) {
            self.push(EventKind::Running {
                frame: *frame,
                code: frame / 10,
                depth,
                cut: false,
                compiled: false,
            });
        }
    }

    fn end(mut self) -> Heard {
        self.builder
            .finish(Time(1000), &mut self.heard)
            .expect("memory takes it");
        let lost: u64 = self.heard.gaps.iter().map(Gap::lost).sum();
        assert_eq!(self.builder.totals().lost, lost);
        self.heard
    }
}

#[test]
fn what_ran_through_a_gap_goes_on_and_what_did_not_ends_before_it() {
    let mut thread = Thread::new();
    thread.enter(10, 0);
    thread.enter(20, 10);
    // `f` returns and is called again, in another frame; and calls `g`.
    thread.lose(5, 4, &[21, 10]);
    thread.enter(30, 21);
    thread.exit(30);
    thread.exit(21);
    thread.exit(10);
    let heard = thread.end();
    assert_eq!(heard.order, ["f", "-9", "g", "f", "main"]);
    let gap = heard.gaps[0];
    assert_eq!((gap.after_call, gap.depth), (2, 1));
    assert_eq!((gap.starts, gap.ends), (5, 4));
    assert_eq!((gap.since, gap.until), (Time(5), Time(9)));
    let shown: Vec<_> = heard
        .calls
        .iter()
        .map(|call| (call.number, call.depth, call.exit, call.already_running))
        .collect();
    assert_eq!(
        shown,
        [
            (2, 1, Exit::Unseen, false),
            (4, 2, Exit::Return, false),
            (3, 1, Exit::Return, true),
            (1, 0, Exit::Return, false),
        ]
    );
}

#[test]
fn a_thread_whose_last_events_are_lost_has_a_gap_at_its_end() {
    let mut thread = Thread::new();
    thread.enter(10, 0);
    thread.lose(0, 1, &[]);
    thread.push(EventKind::ThreadEnd);
    let heard = thread.end();
    assert_eq!(heard.order, ["main", "-1"]);
    assert_eq!((heard.gaps[0].after_call, heard.gaps[0].depth), (1, 0));
}

#[test]
fn losses_that_are_reported_in_parts_are_one_gap() {
    let mut thread = Thread::new();
    thread.enter(10, 0);
    thread.lose(3, 3, &[10]);
    // What was to follow was lost as well.
    thread.lose(2, 1, &[10]);
    thread.exit(10);
    let heard = thread.end();
    assert_eq!(heard.order, ["-9", "main"]);
    assert_eq!(heard.gaps[0].since, Time(4));
    assert_eq!((heard.gaps[0].starts, heard.gaps[0].ends), (5, 4));
}
