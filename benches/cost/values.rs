//! What it costs to record what a call is given and gives back.

use anyhow::Result;

use crate::calls::{number, recorded};
use crate::python::{Python, program};

const ROUNDS: usize = 8;
const REPEATS: u64 = 10;
/// At most this many times what a call costs without values.
const TARGET: f64 = 1.5;

pub(crate) fn measure(python: &Python) -> Result<()> {
    println!(
        "== values: three small arguments and a result, ns of its processor time per call, \
         fastest of {ROUNDS} rounds"
    );
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace.json");
    let peer = directory.path().join("peer.json").display().to_string();
    let program = program("given.py");
    let run =
        |mode: &str| number(&python.output(&[&program, mode, &REPEATS.to_string(), &peer])?);
    let has_peer = python.output(&["-c", "import viztracer"]).is_ok();

    let mut best = [f64::INFINITY; 5];
    let mut take = |at: usize, time: f64| best[at] = best[at].min(time);
    for _ in 0..ROUNDS {
        take(0, run("plain")?);
        take(
            1,
            recorded(python, &trace, &program, REPEATS, &["--no-arg-values"])?,
        );
        take(2, recorded(python, &trace, &program, REPEATS, &[])?);
        if has_peer {
            take(3, run("viztracer")?);
            take(4, run("viztracer-args")?);
        }
    }
    let [untraced, without, with, peer_without, peer_with] = best;
    println!("{:<28} {:>9} {:>9}", "", "per call", "added");
    println!("{:<28} {untraced:>9.1}", "untraced");
    let line = |name: &str, time: f64| println!("{name:<28} {time:>9.1} {:>9.1}", time - untraced);
    line("pytrace --no-arg-values", without);
    line("pytrace", with);
    if has_peer {
        line("viztracer", peer_without);
        line("viztracer --log_func_args", peer_with);
        let ratio = (peer_with - untraced) / (peer_without - untraced);
        println!("viztracer's arguments: {ratio:.2} times what it adds without");
    } else {
        println!("viztracer: not installed: not compared");
    }
    let ratio = (with - untraced) / (without - untraced);
    println!(
        "with values, pytrace adds {ratio:.2} times what it does without; target: at most {TARGET}"
    );
    Ok(())
}
