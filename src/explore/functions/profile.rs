//! Sums over the calls of each function.

use std::collections::HashMap;

use super::percentiles;
use crate::explore::cache::Weigh;
use crate::explore::threads::Functions;
use crate::recording::{Calls, Flags};

/// How many pairs of caller and callee are told apart.
const MOST_EDGES: usize = 500_000;

/// Stands for whoever is above the outermost calls.
pub(super) const NOBODY: u32 = u32::MAX;

/// Stands for pairs that are not told apart.
const ANY_EDGE: u32 = u32::MAX;

/// All functions of some calls.
#[derive(Debug, Default)]
pub(in crate::explore) struct Profile {
    /// By function.
    pub(super) functions: Vec<Sums>,
    /// Pairs of caller and callee.
    pub(super) edges: Vec<Edge>,
    /// What the outermost calls took, in nanoseconds.
    pub(super) total: u64,
}

/// The calls of a function; times in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) calls: u64,
    /// Durations of those that do not stand below another one of the same function.
    pub(super) total: u64,
    /// What they took without those that they called.
    pub(super) own: u64,
    /// Durations of all.
    pub(super) sum: u64,
    pub(super) max: u64,
    pub(super) median: u64,
    pub(super) p95: u64,
    /// How many an exception left.
    pub(super) raised: u64,
    /// How many calls they made.
    pub(super) made: u64,
}

/// The calls that one function makes of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// [`NOBODY`] at the top.
    pub(super) caller: u32,
    pub(super) callee: u32,
    pub(super) calls: u64,
    /// Durations of those that do not stand below another one of the same edge, in nanoseconds.
    pub(super) total: u64,
    /// How many are in progress.
    open: u32,
}

impl Weigh for Profile {
    fn weight(&self) -> usize {
        self.functions.len() * size_of::<Sums>() + self.edges.len() * size_of::<Edge>()
    }
}

impl Profile {
    /// Of the calls of some threads. `calls` is asked for a thread's calls several times.
    pub(super) fn new<'r>(
        functions: &Functions,
        threads: impl Iterator<Item = usize> + Clone,
        calls: impl Fn(usize) -> Calls<'r>,
    ) -> Self {
        let mut pass = Pass::new(functions.len());
        for thread in threads.clone() {
            pass.add(&calls(thread), functions);
        }
        let mut profile = pass.profile;
        percentiles::find(&mut profile.functions, functions, threads, calls);
        profile
    }
}

/// A pass over all calls.
struct Pass {
    profile: Profile,
    /// By function, how many of its calls are in progress.
    open: Vec<u32>,
    /// By callee, its last caller and their edge: mostly, it is the same again.
    last: Vec<(u32, u32)>,
    /// Keyed by a random hash: what is in there may come from a hostile file.
    edges: HashMap<(u32, u32), u32>,
    path: Vec<Active>,
}

/// A call in progress.
struct Active {
    function: u32,
    edge: u32,
    /// What is left of its duration without its callees so far.
    own: u64,
}

impl Pass {
    fn new(functions: usize) -> Self {
        Pass {
            profile: Profile {
                functions: vec![Sums::default(); functions],
                ..Profile::default()
            },
            open: vec![0; functions],
            last: vec![(NOBODY, ANY_EDGE); functions],
            edges: HashMap::new(),
            path: Vec::new(),
        }
    }

    fn add(&mut self, calls: &Calls<'_>, functions: &Functions) {
        for position in 0..calls.len() {
            let row = calls.row(position);
            self.close(calls.depth(position) as usize);
            let function = functions.of(row.code);
            let caller = match self.path.last_mut() {
                Some(caller) => {
                    // Other tools' calls may outlive their callers.
                    caller.own = caller.own.saturating_sub(row.duration);
                    self.profile.functions[caller.function as usize].made += 1;
                    caller.function
                }
                None => {
                    let total = &mut self.profile.total;
                    *total = total.saturating_add(row.duration);
                    NOBODY
                }
            };
            let sums = &mut self.profile.functions[function as usize];
            sums.calls += 1;
            sums.sum = sums.sum.saturating_add(row.duration);
            sums.max = sums.max.max(row.duration);
            sums.raised += u64::from(row.flags.has(Flags::RAISED));
            let open = &mut self.open[function as usize];
            if *open == 0 {
                sums.total = sums.total.saturating_add(row.duration);
            }
            *open += 1;
            let edge = self.edge(caller, function);
            if let Some(edge) = self.profile.edges.get_mut(edge as usize) {
                edge.calls += 1;
                if edge.open == 0 {
                    edge.total = edge.total.saturating_add(row.duration);
                }
                edge.open += 1;
            }
            self.path.push(Active {
                function,
                edge,
                own: row.duration,
            });
        }
        self.close(0);
    }

    /// Ends calls until so many are in progress.
    fn close(&mut self, depth: usize) {
        while self.path.len() > depth {
            let Some(ended) = self.path.pop() else { break };
            let sums = &mut self.profile.functions[ended.function as usize];
            sums.own = sums.own.saturating_add(ended.own);
            self.open[ended.function as usize] -= 1;
            if let Some(edge) = self.profile.edges.get_mut(ended.edge as usize) {
                edge.open -= 1;
            }
        }
    }

    fn edge(&mut self, caller: u32, callee: u32) -> u32 {
        let (last, edge) = self.last[callee as usize];
        if last == caller && edge != ANY_EDGE {
            return edge;
        }
        let next = self.profile.edges.len();
        let edge = match self.edges.get(&(caller, callee)) {
            Some(&known) => known,
            None if next < MOST_EDGES => {
                self.profile.edges.push(Edge {
                    caller,
                    callee,
                    calls: 0,
                    total: 0,
                    open: 0,
                });
                self.edges.insert((caller, callee), next as u32);
                next as u32
            }
            None => ANY_EDGE,
        };
        self.last[callee as usize] = (caller, edge);
        edge
    }
}
