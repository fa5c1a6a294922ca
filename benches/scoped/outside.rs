//! What code outside the scope pays for `--selective`: a library's loop, called once.

use anyhow::{Context as _, Result};

use crate::place::Place;
use crate::rounds;
use crate::spread::Spread;
use crate::ways::{SELECTIVE, SELECTIVE_INTERNAL, Way};

/// So many resolve what is promised, on a machine that does other things as well.
const ROUNDS: usize = 21;
/// A change of less than this is none that could be measured.
const RESOLUTION: f64 = 0.03;
const WAYS: [Way; 4] = [Way::Untraced, Way::Again, SELECTIVE, SELECTIVE_INTERNAL];
const TIME: &str = "time";

pub(crate) fn measure(place: &Place) -> Result<()> {
    let rounds = rounds(ROUNDS)?;
    println!();
    println!(
        "== scoped, outside: the scope calls a library once, which makes 19 million calls among its own \
         functions; ms of the processor's for a 20th of it, the fastest, {rounds} rounds in turns"
    );
    let mut taken = [(); WAYS.len()].map(|()| Vec::new());
    for round in 0..rounds {
        for turn in 0..WAYS.len() {
            let index = (round + turn) % WAYS.len();
            WAYS[index].run(place, "outside", TIME)?;
            let [time] = place.numbers(TIME).context("outside")?;
            taken[index].push(time * 1e3);
        }
    }
    println!(
        "{:<42} {:>8} {:>10} {:>15}",
        "", "a 20th", "/ untraced", "95 % sure"
    );
    for (index, (way, taken_by_it)) in WAYS.iter().zip(&taken).enumerate() {
        let millis = Spread::of(taken_by_it.iter().copied()).median();
        if index == 0 {
            println!("{:<42} {millis:>8.2}", way.name());
            continue;
        }
        let ratios = Spread::of_ratios(taken_by_it, &taken[0]);
        let confidence = ratios.confidence();
        let verdict = match confidence {
            Some([low, high]) if low > 1.0 - RESOLUTION && high < 1.0 + RESOLUTION => {
                "no measurable change"
            }
            Some([low, high]) if low > 1.0 + RESOLUTION || high < 1.0 - RESOLUTION => "a change",
            _ => "not resolved: more ROUNDS, or less else to do",
        };
        println!(
            "{:<42} {millis:>8.2} {:>10.3} {:>15}  {verdict}",
            way.name(),
            ratios.median(),
            confidence.map_or("-".into(), |[low, high]| format!("{low:.3}-{high:.3}"))
        );
    }
    println!(
        "target: no measurable change, which is one within {:.0} %",
        RESOLUTION * 100.0
    );
    Ok(())
}
