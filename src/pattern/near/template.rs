//! One form for all repetitions.

use std::sync::OnceLock;

use super::super::folds::{Near, Packed, Start};
use super::{Atom, Collapsed};

/// A list whose repeats are shown by their first repetition.
pub(super) struct Template {
    pub(super) nodes: Vec<Packed>,
    /// What the nodes refer to, from an index on.
    pub(super) near: Vec<Near>,
}

/// The collapsed list of `list`; `siblings` are their shapes, and `near` is the first free index.
pub(super) fn build(list: &Collapsed, siblings: &[u32], near: usize) -> Template {
    let mut builder = Builder {
        list,
        siblings,
        first: near,
        template: Template {
            nodes: Vec::new(),
            near: Vec::new(),
        },
    };
    let mut calls = 0;
    for atom in &list.atoms {
        builder.column(std::slice::from_ref(atom), &mut calls);
    }
    builder.flush(&mut calls);
    builder.template
}

impl Template {
    /// Fills in the rows; `calls` is how many calls each sibling is.
    pub(super) fn locate(&mut self, calls: impl Iterator<Item = usize>) {
        let mut rows = vec![0];
        let mut row = 0;
        rows.extend(calls.map(|calls| {
            row += calls as u32;
            row
        }));
        for start in self.near.iter_mut().flat_map(|near| &mut near.starts) {
            start.row = rows[start.sibling as usize];
        }
    }
}

struct Builder<'f> {
    list: &'f Collapsed,
    siblings: &'f [u32],
    first: usize,
    template: Template,
}

impl<'f> Builder<'f> {
    /// What stands at one place in all repetitions. `calls` counts those that don't repeat, up to
    /// here.
    fn column(&mut self, atoms: &[Atom], calls: &mut usize) {
        if atoms.iter().all(|atom| self.copies(atom).len() == 1) {
            *calls += 1;
        } else {
            self.flush(calls);
            self.repeat(atoms);
        }
    }

    fn flush(&mut self, calls: &mut usize) {
        if *calls > 0 {
            self.template.nodes.push(Packed::calls(*calls));
            *calls = 0;
        }
    }

    fn repeat(&mut self, atoms: &[Atom]) {
        let head = self.template.nodes.len();
        self.template.nodes.push(Packed::calls(0));
        let near = self.difference(atoms).map(|near| {
            self.template.near.push(near);
            self.first + self.template.near.len() - 1
        });
        let body = self.copies(&atoms[0]).body.len();
        let mut calls = 0;
        for place in 0..body {
            let places = atoms
                .iter()
                .flat_map(|atom| self.copies(atom).repetitions());
            let column: Vec<Atom> = places.map(|repetition| repetition[place]).collect();
            // Loops are at least twice as long as what is in them: this goes no deeper than 32.
            self.column(&column, &mut calls);
        }
        self.flush(&mut calls);
        let nodes = self.template.nodes.len() - head - 1;
        self.template.nodes[head] = match near {
            Some(index) => Packed::near(index, nodes),
            None => Packed::exact(self.copies(&atoms[0]).len(), nodes),
        };
    }

    /// `None` if all repetitions of all of `atoms` are the same, and equally many.
    fn difference(&self, atoms: &[Atom]) -> Option<Near> {
        let counts = || atoms.iter().map(|atom| self.copies(atom).len() as u32);
        let count = (counts().min()?, counts().max()?);
        let mut repetitions = atoms
            .iter()
            .flat_map(|atom| self.copies(atom).repetitions());
        let shapes = |repetition: &[Atom]| {
            let (first, last) = (repetition[0], repetition[repetition.len() - 1]);
            &self.siblings[first.start as usize..self.list.end(last) as usize]
        };
        let first = shapes(repetitions.next()?);
        if count.0 == count.1 && repetitions.all(|repetition| shapes(repetition) == first) {
            return None;
        }
        let shown = self.copies(&atoms[0]).repetitions();
        let starts = shown.map(|repetition| repetition[0].start);
        Some(Near {
            count,
            starts: starts
                .chain([self.list.end(atoms[0])])
                .map(|sibling| Start { sibling, row: 0 })
                .collect(),
            anew: OnceLock::new(),
        })
    }

    fn copies<'a>(&self, atom: &'a Atom) -> Copies<'a>
    where
        'f: 'a,
    {
        match self.list.loops.get(atom.repeats as usize) {
            None => Copies {
                body: std::slice::from_ref(atom),
                rest: &[],
            },
            Some(inner) => {
                let all = &self.list.inner[inner.first as usize..];
                let (body, rest) =
                    all[..(inner.body * inner.count) as usize].split_at(inner.body as usize);
                Copies { body, rest }
            }
        }
    }
}

/// The repetitions of a loop, or a single call as if it were a loop.
#[derive(Clone, Copy)]
struct Copies<'a> {
    body: &'a [Atom],
    rest: &'a [Atom],
}

impl<'a> Copies<'a> {
    fn len(self) -> usize {
        1 + self.rest.len() / self.body.len()
    }

    fn repetitions(self) -> impl Iterator<Item = &'a [Atom]> {
        let rest = self.rest.chunks_exact(self.body.len());
        std::iter::once(self.body).chain(rest)
    }
}
