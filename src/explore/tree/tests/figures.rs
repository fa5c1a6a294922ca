//! What lines say of all the calls that they stand for.

use serde_json::Value;

use super::super::super::open::Open;
use super::super::super::{Explorer, Filter};
use super::{json, recording};
use crate::pattern::Nearness;
use crate::recording::Flags;

/// Times and values that calls on one line do not share are not those of one of them.
#[test]
fn a_line_says_what_its_calls_have_in_common() {
    let mut recording = recording([(0, 0), (0, 1), (0, 0), (0, 1), (0, 0), (0, 1)]);
    let rows = &mut recording.threads[0].calls;
    for (row, duration) in rows.iter_mut().zip([10, 1, 20, 1, 60, 1]) {
        row.duration = duration;
    }
    rows[2].flags.set(Flags::RAISED, true);
    let texts = ["x\t1\n", "x\t2\n", "7"].map(|text| recording.texts.add(text));
    for (row, [text, outcome]) in [(0, [0, 2]), (2, [1, 2]), (4, [0, 2])] {
        let row = &mut recording.threads[0].calls[row];
        (row.arguments, row.outcome) = (texts[text], texts[outcome]);
    }
    let explorer = Explorer::new(&recording);
    let view = explorer.view(0, &Filter::default(), Some(Nearness::Exact));
    let rows = json(view.rows(&Open::parse("all").unwrap(), 0, 10));
    let repeat = &rows["rows"][0]["repeat"];
    assert_eq!(
        (&repeat["count"], &repeat["calls"]),
        (&json([3, 3]), &json(6))
    );
    assert_eq!(repeat["spark"], json([11, 21, 61]));
    assert_eq!(
        (&repeat["times"]["slowest"], &repeat["times"]["total"]),
        (&json(2), &json(93))
    );
    let call = &rows["rows"][1]["call"];
    assert_eq!((&call["of"], &call["raised"]), (&json(3), &json(1)));
    assert_eq!(
        (&call["duration"], &call["min"], &call["max"]),
        (&json(30), &json(10), &json(60))
    );
    // Of a repetition, which takes 31 on average.
    assert_eq!(call["share"], json(0.96774));
    assert_eq!(call["arguments"], json([("x", None::<&str>)]));
    assert_eq!(
        (&call["result"], &call["values_differ"]),
        (&json("7"), &json(true))
    );
    let stepped = json(view.rows(&Open::parse("none,r0.6@1").unwrap(), 1, 1));
    let call = &stepped["rows"][0]["call"];
    assert_eq!((&call["row"], &call["duration"]), (&json(2), &json(20)));
    assert_eq!(call["arguments"], json([("x", "2")]));
    assert_eq!((&call["message"], &call["of"]), (&json("7"), &Value::Null));
}

/// The stepper goes through the repetitions of one repeat, also where its times are those of several.
#[test]
fn the_slowest_repetition_is_one_of_its_own() {
    // Three times: a call, and two others in a row.
    let mut recording = recording([(0, 0), (0, 1), (0, 1)].repeat(3));
    let durations = [1, 9, 2, 1, 3, 70, 1, 3, 4];
    for (row, duration) in recording.threads[0].calls.iter_mut().zip(durations) {
        row.duration = duration;
    }
    let explorer = Explorer::new(&recording);
    let view = explorer.view(0, &Filter::default(), Some(Nearness::Exact));
    let rows = json(view.rows(&Open::parse("all").unwrap(), 0, 10));
    let times = &rows["rows"][2]["repeat"]["times"];
    assert_eq!(
        (&times["slowest"], &times["max"]),
        (&json(0), &json(70)),
        "{rows}"
    );
}
