//! Real programs: little code of their own, and well-known libraries that do most.

use anyhow::{Context as _, Result};

use crate::place::{Place, output};
use crate::recorded::Recorded;
use crate::rounds;
use crate::spread::Spread;
use crate::ways::{
    DISPATCH, SELECTIVE, SELECTIVE_INTERNAL, SELECTIVE_PLAIN, VIZTRACER, VIZTRACER_PYTHON,
    VIZTRACER_SCOPED, Way,
};

const ROUNDS: usize = 7;
/// What `--selective` is to be: at most so many times untraced.
const TARGET: f64 = 1.1;

const WORKLOADS: [(&str, &str); 4] = [
    ("api", "400 requests to a Flask application, for JSON"),
    ("web", "300 requests to another, for pages of Jinja2's"),
    ("orm", "100 orders in SQLAlchemy's ORM, on SQLite in memory"),
    (
        "site",
        "30 builds of a site: markdown-it-py, Pygments, Jinja2",
    ),
];
const WAYS: [Way; 10] = [
    Way::Untraced,
    DISPATCH,
    SELECTIVE,
    SELECTIVE_INTERNAL,
    SELECTIVE_PLAIN,
    Way::Again,
    VIZTRACER,
    VIZTRACER_PYTHON,
    VIZTRACER_SCOPED,
    Way::Trace0,
];
/// File that a program writes its times to.
const TIMES: &str = "times";

/// What one way has taken, a number for each round.
#[derive(Default)]
struct Taken {
    /// The program's main part, after its start and warm-up.
    steady: Vec<f64>,
    /// The same in the processor's time, of the program only.
    processor: Vec<f64>,
    /// The whole command.
    command: Vec<f64>,
}

pub(crate) fn measure(place: &Place) -> Result<()> {
    let rounds = rounds(ROUNDS)?;
    for (name, what) in WORKLOADS {
        workload(place, name, what, rounds).with_context(|| name.to_owned())?;
    }
    Ok(())
}

fn workload(place: &Place, name: &str, what: &str, rounds: usize) -> Result<()> {
    let [all, own] = count(place, name)?;
    println!();
    println!("== scoped, {name}: {what}, {rounds} rounds in turns");
    println!(
        "{all} Python calls, {:.1} % of them of its own code",
        own / all * 100.0
    );

    // The first run of each writes what Python caches of the packages, too.
    let mut recorded = Vec::new();
    for way in WAYS {
        recorded.push(way.record(place, name, TIMES)?);
    }
    compare(&recorded)?;
    let mut taken = [(); WAYS.len()].map(|()| Taken::default());
    for round in 0..rounds {
        for turn in 0..WAYS.len() {
            let index = (round + turn) % WAYS.len();
            let command = WAYS[index].run(place, name, TIMES)?;
            let [steady, processor] = place.numbers(TIMES)?;
            taken[index].steady.push(steady);
            taken[index].processor.push(processor);
            taken[index].command.push(command.as_secs_f64());
        }
    }
    print(&taken, &recorded);
    Ok(())
}

/// How many Python calls the program makes, and how many are of its own code.
fn count(place: &Place, name: &str) -> Result<[f64; 2]> {
    let interpreter = place.interpreter();
    let mut command = place.command(interpreter[0]);
    command
        .args(&interpreter[1..])
        .arg(place.program("count.py"))
        .arg(place.written("counts"))
        .arg(place.program(name).join("main.py"))
        .arg(place.written(TIMES));
    output(&mut command)?;
    place.numbers("counts")
}

/// All of pytrace's ways have to record the same of the scope.
fn compare(recorded: &[Option<Recorded>]) -> Result<()> {
    let mut recorded = WAYS
        .iter()
        .zip(recorded)
        .filter(|(way, _)| matches!(way, Way::Pytrace(..)))
        .filter_map(|(_, recorded)| recorded.as_ref());
    let first = recorded.next().context("pytrace is one of the ways")?;
    recorded.try_for_each(|other| {
        first
            .compare(other)
            .context("dispatch and selective differ")
    })
}

fn print(taken: &[Taken], recorded: &[Option<Recorded>]) {
    let untraced = &taken[0];
    let columns = |times: &[f64], untraced: &[f64]| {
        let times = [times, untraced].map(|times| Spread::of(times.iter().copied()));
        let [time, fastest] = [times[0].median(), times[0].least() / times[1].least()];
        format!("{time:>7.3} s {fastest:>8.2}")
    };
    println!(
        "{:<46} {:>9} {:>8} {:>19} {:>10}",
        "its main part", "median", "fastest", "/ untraced", "processor"
    );
    for (way, taken) in WAYS.iter().zip(taken) {
        println!(
            "{:<46} {} {:>19} {:>10.2}",
            way.name(),
            columns(&taken.steady, &untraced.steady),
            Spread::of_ratios(&taken.steady, &untraced.steady).to_string(),
            Spread::of_ratios(&taken.processor, &untraced.processor).median(),
        );
    }
    println!(
        "{:<46} {:>9} {:>8} {:>19} {:>10} {:>10}",
        "the whole command", "median", "fastest", "/ untraced", "own calls", "all calls"
    );
    for ((way, taken), recorded) in WAYS.iter().zip(taken).zip(recorded) {
        print!(
            "{:<46} {} {:>19}",
            way.name(),
            columns(&taken.command, &untraced.command),
            Spread::of_ratios(&taken.command, &untraced.command).to_string(),
        );
        match recorded {
            Some(recorded) => {
                println!(" {:>10} {:>10}", recorded.own.len(), recorded.all);
            }
            None => println!(),
        }
    }
    println!(
        "/ untraced: median, and quartiles, of each round's ratios; fastest: of the fastest rounds; \
         processor: of the program's own processor time"
    );
    println!(
        "own calls: of the program's own code; pytrace lost nothing, and has the same of these in \
         each way, in the same order"
    );
    println!(
        "target: pytrace --selective at most {TARGET} times untraced, and less than others that record \
         all calls of its own code"
    );
}
