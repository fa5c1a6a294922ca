use super::super::folds::{Kind, is_one_call, rows};
use super::sequences::{de_bruijn, fibonacci, loops, thue_morse};
use super::*;
use proptest::prelude::*;

impl Folder {
    /// That leaves nothing to [`Small`] but bodies.
    fn without_small() -> Folder {
        Folder {
            small_up_to: 1,
            ..Folder::default()
        }
    }

    fn folded(&mut self, symbols: &[u32]) -> Vec<Packed> {
        let mut out = Vec::new();
        self.fold(symbols, &mut out);
        out
    }
}

/// As in the worked examples: `2x[a b] a`.
fn text(symbols: &[u32], nodes: &[Packed]) -> String {
    let mut at = 0;
    let text = text_from(symbols, nodes, &mut at);
    assert_eq!(at, symbols.len());
    text
}

fn text_from(symbols: &[u32], nodes: &[Packed], at: &mut usize) -> String {
    let mut words = Vec::new();
    let mut nodes = nodes;
    while let Some((node, behind)) = nodes.split_first() {
        nodes = behind;
        match node.kind() {
            Kind::Calls(siblings) => {
                for &symbol in &symbols[*at..*at + siblings] {
                    words.push(char::from(b'a' + symbol as u8).to_string());
                }
                *at += siblings;
            }
            Kind::Exact { count, nodes: len } => {
                let (body, behind) = nodes.split_at(len);
                nodes = behind;
                let start = *at;
                let text = text_from(symbols, body, at);
                let each = *at - start;
                for copy in 1..count {
                    let from = start + copy * each;
                    assert_eq!(symbols[from..from + each], symbols[start..*at]);
                }
                *at = start + count * each;
                words.push(match is_one_call(body) {
                    true => format!("{count}x{text}"),
                    false => format!("{count}x[{text}]"),
                });
            }
            Kind::Near { .. } => unreachable!(),
        }
    }
    words.join(" ")
}

/// The definition, without any thought for time: of all foldings of all stretches, those with
/// fewest rows, then nodes, then longest nodes from the left.
struct Brute<'s> {
    symbols: &'s [u32],
    /// For each stretch: rows, spans of its nodes, text.
    best: Vec<Vec<(usize, Vec<usize>, String)>>,
}

impl Brute<'_> {
    fn fold(symbols: &[u32]) -> (usize, String) {
        let len = symbols.len();
        let mut brute = Brute {
            symbols,
            best: vec![vec![(0, Vec::new(), String::new()); len + 1]; len + 1],
        };
        for stretch in 1..=len {
            for start in 0..=len - stretch {
                brute.best[start][start + stretch] = brute.of(start, start + stretch);
            }
        }
        let (rows, _, text) = &brute.best[0][len];
        (*rows, text.clone())
    }

    fn of(&self, start: usize, end: usize) -> (usize, Vec<usize>, String) {
        let mut best: Option<(usize, Vec<usize>, String)> = None;
        let mut offer = |rows: usize, span: usize, text: String| {
            let (rest, spans, behind) = &self.best[start + span][end];
            let spans: Vec<usize> = [&[span], &**spans].concat();
            let text = format!("{text} {behind}").trim_end().to_owned();
            let better = |(best, best_spans, _): &(usize, Vec<usize>, String)| {
                let (new, old) = ((rows + rest, spans.len()), (*best, best_spans.len()));
                new < old || (new == old && spans > *best_spans)
            };
            if best.as_ref().is_none_or(better) {
                best = Some((rows + rest, spans, text));
            }
        };
        let letter = char::from(b'a' + self.symbols[start] as u8);
        offer(1, 1, letter.to_string());
        for body in 1..=(end - start) / 2 {
            let first = &self.symbols[start..start + body];
            let copies = self.symbols[start..end].chunks(body);
            let count = copies.take_while(|copy| *copy == first).count();
            for count in 2..=count {
                let (rows, _, text) = &self.best[start][start + body];
                match body {
                    1 => offer(1, count, format!("{count}x{text}")),
                    _ => offer(1 + rows, count * body, format!("{count}x[{text}]")),
                }
            }
        }
        best.unwrap()
    }
}

/// All sequences of up to `most` out of so many letters, but for renaming.
fn every(letters: u32, most: usize) -> impl Iterator<Item = Vec<u32>> {
    (1..=most).flat_map(move |len| {
        (0..letters.pow(len as u32)).filter_map(move |mut number| {
            let mut sequence = Vec::new();
            for _ in 0..len {
                let most = sequence.iter().max().map_or(0, |most| most + 1);
                if number % letters > most {
                    return None;
                }
                sequence.push(number % letters);
                number /= letters;
            }
            Some(sequence)
        })
    })
}

#[test]
fn every_short_sequence_is_folded_as_defined() {
    let mut folder = Folder::default();
    let mut long = Folder::without_small();
    for sequence in every(2, 13).chain(every(3, 9)) {
        let (best, expected) = Brute::fold(&sequence);
        let folded = folder.folded(&sequence);
        assert_eq!(text(&sequence, &folded), expected, "{sequence:?}");
        assert_eq!(rows(&folded), best, "{sequence:?}");
        let folded = long.folded(&sequence);
        assert_eq!(text(&sequence, &folded), expected, "{sequence:?}");
    }
}

fn irreducible(symbols: &[u32], nodes: &[Packed]) -> bool {
    // Nodes as words, repeats by their text: no word or sequence of words twice in a row.
    let text = text(symbols, nodes);
    let mut levels: Vec<Vec<String>> = vec![Vec::new()];
    let mut word = String::new();
    let is_square = |words: &[String]| {
        (1..=words.len() / 2).any(|len| words.windows(2 * len).any(|w| w[..len] == w[len..]))
    };
    let mut fine = true;
    for c in text.chars().chain([' ']) {
        match c {
            '[' => levels.push(vec![std::mem::take(&mut word)]),
            ' ' | ']' => {
                let level = levels.last_mut().unwrap();
                if !word.is_empty() {
                    level.push(std::mem::take(&mut word));
                }
                if c == ']' {
                    let inner = levels.pop().unwrap();
                    fine &= !is_square(&inner[1..]);
                    word = inner.join(" ") + "]";
                }
            }
            c => word.push(c),
        }
    }
    fine && !is_square(&levels[0])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn loops_are_folded_as_defined(sequence in loops(40)) {
        let (_, expected) = Brute::fold(&sequence);
        prop_assert_eq!(&text(&sequence, &Folder::default().folded(&sequence)), &expected);
        prop_assert_eq!(&text(&sequence, &Folder::without_small().folded(&sequence)), &expected);
    }

    #[test]
    fn both_ways_to_fold_agree(sequence in loops(SMALL)) {
        let small = Folder::default().folded(&sequence);
        let long = Folder::without_small().folded(&sequence);
        prop_assert_eq!(text(&sequence, &small), text(&sequence, &long));
    }

    #[test]
    fn stretches_side_by_side_cost_what_they_cost_alone(
        sequence in loops(2 * SMALL - 1),
        stretch in 2..=SMALL,
    ) {
        let mut small = Small::default();
        let starts = (0..(sequence.len() + 1).saturating_sub(stretch)).take(stretch);
        let alone: Vec<u32> = starts
            .clone()
            .map(|start| small.rows(&sequence[start..start + stretch]))
            .collect();
        let side_by_side: Vec<u32> = small.rows_from(&sequence, stretch, starts).collect();
        prop_assert_eq!(alone, side_by_side);
    }

    #[test]
    fn nothing_repeats_in_what_is_left(sequence in loops(3000)) {
        let folded = Folder::default().folded(&sequence);
        prop_assert!(irreducible(&sequence, &folded));
    }
}

#[test]
fn hard_sequences_keep_all_symbols() {
    let mut folder = Folder::default();
    for sequence in [
        fibonacci(200_000),
        thue_morse(200_000),
        de_bruijn(2, 16),
        de_bruijn(5, 6),
    ] {
        let folded = folder.folded(&sequence);
        // Compares every copy with the first one.
        text(&sequence, &folded);
        assert!(folded.len() < sequence.len());
    }
}
