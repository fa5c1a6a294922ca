//! Trace files of a made-up training run, of any size, byte for byte as a recording writes them.
//!
//! The main thread trains: epochs of steps of layers of adapters, with logging, evaluation and a
//! checkpoint now and then, steps that are skipped by an exception, and steps that are slow. Beside
//! it a thread loads batches in generators, another awaits, and others do what does not repeat.

use std::io;
use std::path::Path;
use std::sync::Arc;

use pytrace::format::OutputFile;
use pytrace::trace::Category::{self, External, Import, Internal};
use pytrace::trace::Kind;

use crate::program::{Function, Is, NONE, Program, function};

const DIRECTORY: &str = "/home/u/project";
const LAYERS: u64 = 12;
const STEPS: u64 = 200;
const THREADS: [&str; 7] = [
    "python3", "loader", "events", "worker-0", "worker-1", "worker-2", "worker-3",
];
/// Levels of what does not repeat.
const DEPTH: u64 = 30;

/// Writes a trace of `calls` calls or, since a step is taken to its end, some hundred more.
///
/// Returns how many.
pub(crate) fn write(path: &Path, calls: u64) -> io::Result<u64> {
    let output = OutputFile::create(path)?;
    let mut run = Run {
        program: Program::new(output, &THREADS)?,
        is: Functions::new(),
    };
    run.start()?;
    let mut step = 0;
    while run.program.calls() + 1 < calls {
        run.step(step)?;
        step += 1;
    }
    run.program.finish(DIRECTORY)
}

struct Run {
    program: Program,
    is: Functions,
}

impl Run {
    /// What runs once: modules are imported, the model is built.
    fn start(&mut self) -> io::Result<()> {
        let Run { program, is } = self;
        program.enter(&is.module, &[]);
        for name in ["'argparse'", "'torch'", "'model'"] {
            program.enter(&is.find_and_load, &[("name", Is::Text(name))]);
            program.leaf(&is.imported, &[], 40_000, NONE)?;
            program.leave(Is::Text("<module>"))?;
        }
        program.enter(&is.main, &[("argv", NONE)]);
        program.enter(&is.model_init, &[("layers", Is::Int(LAYERS))]);
        for index in 0..LAYERS {
            program.enter(&is.layer_init, &[("index", Is::Int(index))]);
            for name in ["'math'", "'code'"] {
                let arguments = [
                    ("self", Is::Text("<Adapter>")),
                    ("name", Is::Text(name)),
                    ("weight", Is::Near(0.1)),
                ];
                program.leaf(&is.adapter_init, &arguments, 600, NONE)?;
            }
            program.leave(NONE)?;
        }
        program.leave(NONE)
    }

    fn step(&mut self, step: u64) -> io::Result<()> {
        let (epoch, in_epoch) = (step / STEPS, step % STEPS);
        if in_epoch == 0 {
            if step > 0 {
                self.program.leave(Is::Near(0.5))?;
            }
            let arguments = [("self", Is::Text("<Trainer>")), ("epoch", Is::Int(epoch))];
            self.program.enter(&self.is.epoch, &arguments);
        }
        self.program.slowness = if self.program.random.below(500) == 0 {
            30
        } else {
            1
        };
        self.load(step)?;
        self.train(step)?;
        self.beside(step)?;
        self.program.slowness = 1;
        Ok(())
    }

    /// The loader's generators, each resumed for each batch.
    fn load(&mut self, step: u64) -> io::Result<()> {
        let Run { program, is } = self;
        program.switch_to(1);
        match step {
            0 => program.enter(&is.batches, &[("size", Is::Int(8))]),
            _ => program.resume(&is.batches),
        }
        for _ in 0..8 {
            program.enter(&is.decode, &[("record", Is::List(512))]);
            let at = program.random.below(1 << 30);
            program.leaf(
                &is.read,
                &[("offset", Is::Int(at))],
                2000,
                Is::Text("b'\\x1f\\x8b\\x08\\x00'… 4096 bytes"),
            )?;
            program.leave(Is::List(768))?;
        }
        program.suspend(Is::Tensor(8))?;
        program.switch_to(0);
        Ok(())
    }

    fn train(&mut self, step: u64) -> io::Result<()> {
        let Run { program, is } = self;
        let arguments = [
            ("self", Is::Text("<Trainer>")),
            ("step", Is::Int(step)),
            ("batch", Is::Tensor(8)),
        ];
        program.enter(&is.step, &arguments);
        if step % 97 == 96 {
            program.enter(&is.check, &[("batch", Is::Tensor(8))]);
            program.raise(&is.value_error, &format!("batch {step} has a length of 0"))?;
            return program.leave(Is::Text("None"));
        }
        program.leaf(
            &is.check,
            &[("batch", Is::Tensor(8))],
            900,
            Is::Text("True"),
        )?;

        program.enter(
            &is.forward,
            &[("self", Is::Text("<Model>")), ("x", Is::Tensor(8))],
        );
        for index in 0..LAYERS {
            self.layer(index)?;
        }
        let Run { program, is } = self;
        program.leave(Is::Tensor(8))?;

        program.enter(
            &is.loss,
            &[("outputs", Is::Tensor(8)), ("targets", Is::List(8))],
        );
        // A generator that sums: as many terms as the batch has lines.
        for term in 0..3 + program.random.below(6) {
            match term {
                0 => program.enter(&is.terms, &[(".0", Is::Text("<list_iterator>"))]),
                _ => program.resume(&is.terms),
            }
            program.suspend(Is::Near(0.4))?;
        }
        program.leave(Is::Near(0.6))?;

        program.leaf(
            &is.backward,
            &[("self", Is::Text("<Tensor>"))],
            90_000,
            NONE,
        )?;
        program.enter(
            &is.optimize,
            &[("self", Is::Text("<Adam>")), ("lr", Is::Near(0.001))],
        );
        for index in 0..LAYERS {
            program.leaf(
                &is.update,
                &[("index", Is::Int(index)), ("grad", Is::List(4))],
                700,
                NONE,
            )?;
        }
        program.leave(NONE)?;
        if step % 10 == 9 {
            program.enter(&is.log, &[("step", Is::Int(step)), ("loss", Is::Near(0.6))]);
            program.leaf(
                &is.info,
                &[("msg", Is::Text("'step %d: loss %.4f'"))],
                4000,
                NONE,
            )?;
            program.leave(NONE)?;
        }
        if step % 50 == 49 {
            program.enter(&is.evaluate, &[("self", Is::Text("<Trainer>"))]);
            for sample in 0..20 {
                program.enter(&is.predict, &[("sample", Is::Int(sample))]);
                program.leaf(&is.softmax, &[("input", Is::Tensor(1))], 3000, Is::List(10))?;
                program.leave(Is::Int(sample % 10))?;
            }
            program.leave(Is::Near(0.8))?;
        }
        program.leave(Is::Near(0.6))
    }

    fn layer(&mut self, index: u64) -> io::Result<()> {
        const THIS: (&str, Is<'_>) = ("self", Is::Text("<Layer>"));
        const INPUT: (&str, Is<'_>) = ("x", Is::Tensor(8));
        let Run { program, is } = self;
        program.enter(&is.layer, &[THIS, INPUT]);
        program.enter(&is.attention, &[THIS, INPUT, ("index", Is::Int(index))]);
        program.leaf(&is.norm, &[INPUT], 4000, Is::Tensor(8))?;
        for which in ["'query'", "'key'", "'value'"] {
            program.leaf(
                &is.project,
                &[INPUT, ("which", Is::Text(which))],
                2500,
                Is::Tensor(8),
            )?;
        }
        program.leaf(
            &is.softmax,
            &[("input", Is::Tensor(8))],
            3000,
            Is::Tensor(8),
        )?;
        program.leave(Is::Tensor(8))?;
        for name in ["'math'", "'code'"] {
            program.enter(
                &is.adapter,
                &[
                    ("self", Is::Text("<Adapter>")),
                    ("name", Is::Text(name)),
                    ("values", Is::List(8)),
                ],
            );
            program.leaf(
                &is.scaled,
                &[(".0", Is::Text("<list_iterator>"))],
                1100,
                Is::List(8),
            )?;
            program.leave(Is::List(8))?;
        }
        program.enter(&is.mlp, &[THIS, INPUT]);
        program.leaf(&is.gelu, &[("input", Is::Tensor(8))], 5000, Is::Tensor(8))?;
        program.leave(Is::Tensor(8))?;
        program.leave(Is::Tensor(8))
    }

    /// What the other threads do meanwhile.
    fn beside(&mut self, step: u64) -> io::Result<()> {
        let Run { program, is } = self;
        program.switch_to(2);
        for _ in 0..program.random.below(4) {
            match step {
                0 => program.enter(&is.poll, &[("timeout", Is::Near(0.1))]),
                _ => program.resume(&is.poll),
            }
            program.leaf(
                &is.select,
                &[("self", Is::Text("<EpollSelector>"))],
                9000,
                Is::Text("[]"),
            )?;
            program.suspend(Is::Text("<Future pending>"))?;
        }
        program.switch_to(0);
        let worker = 3 + program.random.below(4);
        if program.random.below(4) == 0 {
            program.switch_to(worker as usize);
            program.enter(&is.job, &[("id", Is::Int(step))]);
            let calls = program.random.below(400);
            self.irregular(calls)?;
            self.program.leave(NONE)?;
            self.program.switch_to(0);
        }
        Ok(())
    }

    /// About so many calls of a tree that has no pattern.
    fn irregular(&mut self, calls: u64) -> io::Result<()> {
        let Run { program, is } = self;
        let mut level = 0;
        for _ in 0..calls {
            let which = program.random.below(is.parsers.len() as u64) as usize;
            let value = program.random.below(1_000_000);
            program.enter(
                &is.parsers[which],
                &[("node", Is::Int(value)), ("level", Is::Int(level))],
            );
            level += 1;
            let back = match program.random.below(5) {
                0 | 1 if level < DEPTH => 0,
                0..=2 => 1,
                _ => 1 + program.random.below(3),
            };
            for _ in 0..back.min(level) {
                match program.random.below(200) {
                    0 => program.raise(&is.key_error, &format!("'node-{value}'"))?,
                    _ => program.leave(Is::Int(value))?,
                }
                level -= 1;
            }
        }
        for _ in 0..level {
            program.leave(NONE)?;
        }
        Ok(())
    }
}

struct Functions {
    module: Function,
    find_and_load: Function,
    imported: Function,
    main: Function,
    model_init: Function,
    layer_init: Function,
    adapter_init: Function,
    epoch: Function,
    step: Function,
    check: Function,
    forward: Function,
    layer: Function,
    attention: Function,
    norm: Function,
    project: Function,
    softmax: Function,
    adapter: Function,
    scaled: Function,
    mlp: Function,
    gelu: Function,
    loss: Function,
    terms: Function,
    backward: Function,
    optimize: Function,
    update: Function,
    log: Function,
    info: Function,
    evaluate: Function,
    predict: Function,
    batches: Function,
    decode: Function,
    read: Function,
    poll: Function,
    select: Function,
    job: Function,
    /// Those of irregular trees.
    parsers: Vec<Function>,
    value_error: Arc<str>,
    key_error: Arc<str>,
}

impl Functions {
    fn new() -> Functions {
        let ours = |name: &str, file: &str, line, kind| {
            function(name, &format!("{DIRECTORY}/{file}"), line, kind, Internal)
        };
        let library = |name: &str, file: &str, line, category: Category| {
            let file = format!("/usr/lib/python3/dist-packages/{file}");
            function(name, &file, line, Kind::Function, category)
        };
        Functions {
            module: ours("<module>", "train.py", 1, Kind::Module),
            find_and_load: function(
                "_find_and_load",
                "<frozen importlib._bootstrap>",
                1165,
                Kind::Import,
                Import,
            ),
            imported: library("<module>", "torch/__init__.py", 1, Import),
            main: ours("main", "train.py", 210, Kind::Function),
            model_init: ours("Model.__init__", "model.py", 90, Kind::ClassInstantiation),
            layer_init: ours("Layer.__init__", "model.py", 40, Kind::ClassInstantiation),
            adapter_init: ours(
                "Adapter.__init__",
                "adapter.py",
                9,
                Kind::ClassInstantiation,
            ),
            epoch: ours("Trainer.epoch", "train.py", 120, Kind::Method),
            step: ours("Trainer.step", "train.py", 88, Kind::Method),
            check: ours("check", "data.py", 61, Kind::Function),
            forward: ours("Model.forward", "model.py", 101, Kind::Method),
            layer: ours("Layer.forward", "model.py", 55, Kind::Method),
            attention: ours("Layer.attention", "model.py", 47, Kind::Method),
            norm: library("layer_norm", "torch/nn/functional.py", 2900, External),
            project: ours("Layer.project", "model.py", 44, Kind::Method),
            softmax: library("softmax", "torch/nn/functional.py", 2100, External),
            adapter: ours("Adapter.forward", "adapter.py", 14, Kind::Method),
            scaled: ours(
                "Adapter.forward.<locals>.<listcomp>",
                "adapter.py",
                15,
                Kind::Comprehension,
            ),
            mlp: ours("Layer.mlp", "model.py", 66, Kind::Method),
            gelu: library("gelu", "torch/nn/functional.py", 1700, External),
            loss: ours("loss_of", "train.py", 70, Kind::Function),
            terms: ours(
                "loss_of.<locals>.<genexpr>",
                "train.py",
                72,
                Kind::Generator,
            ),
            backward: library("Tensor.backward", "torch/_tensor.py", 570, External),
            optimize: ours("Adam.step", "optimizer.py", 30, Kind::Method),
            update: ours("Adam.update", "optimizer.py", 18, Kind::Method),
            log: ours("log", "train.py", 20, Kind::Function),
            info: library("Logger.info", "logging/__init__.py", 1480, External),
            evaluate: ours("Trainer.evaluate", "train.py", 140, Kind::Method),
            predict: ours("Model.predict", "model.py", 120, Kind::Method),
            batches: ours("batches", "data.py", 30, Kind::Generator),
            decode: ours("decode", "data.py", 12, Kind::Function),
            read: library("Reader.read", "torch/utils/reader.py", 77, External),
            poll: ours("poll", "events.py", 15, Kind::Coroutine),
            select: library("EpollSelector.select", "selectors.py", 451, External),
            job: ours("job", "worker.py", 8, Kind::Function),
            parsers: (0..24)
                .map(|at| {
                    ours(
                        &format!("Parser.visit_{at}"),
                        "parser.py",
                        20 + at * 9,
                        Kind::Method,
                    )
                })
                .collect(),
            value_error: "ValueError".into(),
            key_error: "KeyError".into(),
        }
    }
}
