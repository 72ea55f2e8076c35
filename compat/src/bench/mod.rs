//! `cargo compat bench`: the same loads on Apache Kafka and on Ottla, in turn, and one table of what they cost.
//! Shell: starts brokers, prints its progress.
#![allow(clippy::print_stderr, reason = "progress for the person who waits")]

mod address;
pub mod answers;
pub mod churn;
pub mod cleaner;
mod clients;
mod cluster;
mod consumer_groups;
pub mod foreign;
pub mod frames;
pub mod gauge;
pub mod groups;
pub mod growth;
pub mod lifecycle;
pub mod limits;
pub mod load;
mod login;
pub mod machine;
pub mod parked;
mod quotas;
pub mod rows;
pub mod scene;
pub mod scrape;
mod secure;
pub mod table;
mod transactions;
pub mod workloads;

use std::time::{Duration, Instant};

use crate::broker::{self, Against};
use crate::failure::{Outcome, While as _, fail};
use machine::Filler;
use scene::{Rows, Scale, Side};
use table::Table;
use workloads::{Kind, Times, WORKLOADS, Workload};

/// What a run is to do.
#[derive(Debug)]
pub struct Plan {
    pub scale: Scale,
    pub only: Option<Against>,
    pub workloads: Vec<String>,
}

impl Plan {
    /// Every workload on Ottla, so small that figures mean nothing: it errs or it does not.
    pub fn smoke() -> Self {
        Self { scale: Scale::SMOKE, only: Some(Against::Ottla), workloads: Vec::new() }
    }

    fn brokers(&self) -> Vec<Against> {
        let both = [Against::Kafka, Against::Ottla];
        both.into_iter().filter(|against| self.only.is_none_or(|only| only == *against)).collect()
    }
}

/// What came of it: a slow broker is no failure, one that errs is.
#[derive(Debug)]
pub struct Report {
    /// The tables, as Markdown.
    pub text: String,
    pub failures: Vec<String>,
}

/// Runs the plan.
pub fn run(plan: &Plan) -> Outcome<Report> {
    let (chosen, begin) = (choose(&plan.workloads)?, Instant::now());
    if plan.only != Some(Against::Kafka) {
        broker::build_ottla()?;
    }
    eprintln!("the limits of the machine");
    machine::come_to_rest()?;
    let write_as_found = limits::page_cache_write()?;
    let mut filler = Filler::new()?;
    if plan.scale.fills_memory {
        filler.fill()?;
    }
    let limits_span = plan.scale.span.measured.min(Duration::from_secs(1));
    let limits = limits::measure(write_as_found, limits_span)?;
    eprintln!("{limits}");
    let mut run = Run { plan, filler, table: Table::new(limits), failures: Vec::new() };
    for workload in chosen {
        let start = Instant::now();
        // One that fails must not cost the figures of all the others.
        if let Err(failure) = run.workload(workload) {
            eprintln!("    {failure}");
            run.failures.push(format!("{}: {failure}", workload.name));
        }
        eprintln!("{} took {:.0} s", workload.name, start.elapsed().as_secs_f64());
    }
    if plan.scale.fills_memory {
        run.filler.fill()?;
        let after = limits::page_cache_write()?;
        run.table.note(format!(
            "page-cache write at the end of the run: {:.2} GB/s, {:.3} CPU s/GB",
            after.gb_per_second, after.cpu_seconds_per_gb
        ));
    }
    run.table.note(format!("the whole run took {:.1} minutes", begin.elapsed().as_secs_f64() / 60.0));
    let text = format!("{}\n{}", head(&plan.scale)?, run.table);
    Ok(Report { text, failures: run.failures })
}

fn head(scale: &Scale) -> Outcome<String> {
    let memory = if scale.fills_memory {
        "Before the limits, before each workload and between its spans the page cache was filled with clean pages \
         until hardly any memory was free, as on a machine that has run for a day: new pages are recycled ones. A \
         virtual machine gives free memory back to its host, and a first touch then costs ten times as much as the \
         write itself (the first two limits show it)."
    } else {
        "A short run: the memory was left as it was found, and JVMs were hardly warmed up. The figures say little."
    };
    Ok(format!(
        "# Benchmarks\n\n\
         Machine: {}. Apache Kafka {} with a heap of 1 GB, one node. Made with `cargo compat bench`.\n\n\
         Medians (least..most) of {} measurements. In a load both brokers are up, warmed up by it ({} ms Apache Kafka, {} \
         ms Ottla), and take turns, A B B A; the one that waits has nothing to do. A measurement lasts {} ms, or until \
         {:.1} GB are written; then its topic is deleted, and what is dirty is written back before the next one. CPU is \
         that of the broker's process alone; in the rows that begin with `cluster` three nodes of each run, and CPU and \
         memory are those of all three (at rest: memory of one). The generator sends batches encoded beforehand; it reads records into \
         memory and looks at their first bytes alone, but for `discarded`, where the kernel throws them away \
         uncopied. Latency counts from the moment a request was sent, in open loops from the moment it was due. {memory}\n",
        machine::kind()?,
        crate::reference::KAFKA_VERSION,
        scale.rounds,
        scale.kafka_warmup.as_millis(),
        scale.ottla_warmup.as_millis(),
        scale.span.measured.as_millis(),
        scale.span.bytes_max as f64 / 1e9,
    ))
}

/// A run under way.
struct Run<'a> {
    plan: &'a Plan,
    filler: Filler,
    table: Table,
    failures: Vec<String>,
}

impl Run<'_> {
    fn workload(&mut self, workload: &'static Workload) -> Outcome<()> {
        match workload.kind {
            Kind::Turns(prepare) => {
                eprintln!("{}", workload.name);
                let mut sides = prepare(&self.plan.scale, &self.plan.brokers())?;
                self.prepare_machine()?;
                self.take_turns(&mut sides)?;
                for side in &mut sides {
                    side.broker.stop()?;
                }
                Ok(())
            }
            Kind::Event { run, on_kafka, on_ottla } => self.events(workload, run, on_kafka, on_ottla),
        }
    }

    fn prepare_machine(&mut self) -> Outcome<()> {
        if self.plan.scale.fills_memory {
            machine::come_to_rest()?;
            self.filler.fill()?;
        }
        Ok(())
    }

    /// A B B A A B B A A B: each order begins and ends with the same side, so that a drift of the machine hits both alike.
    fn take_turns(&mut self, sides: &mut [Side]) -> Outcome<()> {
        let scale = self.plan.scale;
        for side in &mut *sides {
            let span = scale.warmup(side.against);
            let warmer = side.warmer.as_mut().unwrap_or(&mut side.bout);
            let against = side.against;
            warmer(side.broker.as_ref(), span).while_doing(|| format!("warming up {against}"))?;
            if side.warmer.is_some() {
                (side.bout)(side.broker.as_ref(), scale.span)?;
            }
            self.prepare_machine()?;
        }
        for round in 0..scale.rounds {
            let mut order: Vec<usize> = (0..sides.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let side = &mut sides[index];
                let against = side.against;
                let rows =
                    (side.bout)(side.broker.as_ref(), scale.span).while_doing(|| against.to_string())?;
                self.note(against, rows);
                self.prepare_machine()?;
            }
        }
        Ok(())
    }

    fn events(
        &mut self,
        workload: &'static Workload,
        run: fn(Against, &Scale) -> Outcome<Rows>,
        on_kafka: Times,
        on_ottla: Times,
    ) -> Outcome<()> {
        for round in 0..self.plan.scale.rounds {
            for against in self.plan.brokers() {
                let times = if against == Against::Kafka { on_kafka } else { on_ottla };
                if times == Times::Never || (times == Times::Once && round > 0) {
                    continue;
                }
                eprintln!("{} against {against}", workload.name);
                self.prepare_machine()?;
                match run(against, &self.plan.scale) {
                    Ok(rows) => self.note(against, rows),
                    Err(failure) => {
                        eprintln!("    {failure}");
                        self.failures.push(format!("{} against {against}: {failure}", workload.name));
                    }
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, against: Against, rows: Rows) {
        for (row, measured) in rows {
            eprintln!("    {row}, {against}: {measured}");
            self.table.add(row, against, measured);
        }
    }
}

fn choose(names: &[String]) -> Outcome<Vec<&'static Workload>> {
    for name in names {
        if !WORKLOADS.iter().any(|workload| workload.name == name) {
            let known: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
            return fail(format!("no workload is called {name}; there are {}", known.join(", ")));
        }
    }
    let named = |workload: &Workload| names.iter().any(|name| name == workload.name);
    Ok(WORKLOADS.iter().filter(|w| named(w) || (names.is_empty() && !w.named_only)).collect())
}
