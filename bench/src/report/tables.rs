//! The tables of the results page.

use std::time::Duration;

use super::figures::{duration, grouped, significant, spread};
use super::{Circumstances, Findings};
use crate::histogram::Histogram;
use crate::measure::{CountedCalls, Measured};
use crate::rows::Driver;
use crate::trial::data::Bets;

/// System calls that a table names.
const CALLS_SHOWN: usize = 8;

/// What the page is, and how its figures came about.
pub fn heading(circumstances: &Circumstances) -> String {
    let Circumstances {
        machine,
        date,
        command,
        pairs,
        seconds,
        load_averages: (before, after),
    } = circumstances;
    format!(
        "# How fast it is\n\n\
         Made by `{command}` on {date} in {seconds} s, from commit {commit}; running it again \
         replaces this page. Every row was run {pairs} times, the floor and ours in turn; figures \
         are medians, with the smallest and the largest in parentheses.\n\n\
         Machine: {processor}, {cores} cores, {memory} MiB of memory, Linux {kernel}, storage on \
         {filesystem}. Load average before {before}, after {after}: this very run included, and \
         whatever else the machine did.\n\n",
        commit = machine.commit,
        processor = machine.processor,
        cores = machine.cores,
        memory = grouped(machine.memory_mib as f64),
        kernel = machine.kernel,
        filesystem = machine.filesystem,
    )
}

/// How to read the figures.
pub fn method() -> String {
    "## How it is measured\n\n\
     - **The floor** is the least that any system must do: as many agencies send the bytes of the \
     same files in frames of 8 kB, each after a 2-byte answer to the one before, and one epoll \
     thread appends what comes, unparsed and unsynced, to a file. Rows of real clients are compared \
     with a floor of as many processes, from the start of the first to the end of the last; rows of \
     the load with a floor whose agencies are the load's.\n\
     - **Clients** are the real program with its defaults, a process each, that logs to /dev/null. \
     **Load** is all agencies in one thread that shares the machine with the server, its messages \
     encoded before the clock starts.\n\
     - **The server** is the real program as released, a new process on an empty folder for each run, \
     that logs at its usual level into a file on the same disk. Its CPU time is all that its process \
     used between listening and the last winners, user and system, as the scheduler counts it; its \
     memory is VmHWM. The clients' CPU time is that of all their processes, from start to end, in \
     ticks of 10 ms. Sockets' buffers are the kernel's and are in neither.\n\
     - **Answer times** go from the write that ends a batch to the read that brings its answer, over \
     all runs of a row. The agencies are a closed loop with a window: with 128 batches under way a \
     batch waits mostly for those before it.\n\
     - Between runs, outside of the clocks, the storage is removed and the system's buffers synced, so \
     that no run pays for what the last one left to be written. Everything is on loopback. After each \
     run the stored bets and the winners told are counted and compared with those sent.\n\
     - **Opening** is from the start of the process to listening, on a store whose last row is torn, \
     with its file in the page cache, as after a crash of the program. **The draw** is from the last \
     agency's AllBetsSent, its sync included, to the last of six agencies that has its winners; \
     meanwhile one more connection sends an empty batch after the other.\n"
        .to_owned()
}

/// All rows.
pub fn rows(rows: &[Measured]) -> String {
    let mut table = String::from(
        "## Rows\n\n\
         | row | agencies | bets | batch | window | durability | bets/s | × floor | CPU ns/bet | in kernel | clients' CPU ns/bet | peak MiB | p50 | p99 | max |\n\
         | --- | --: | --: | --: | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for measured in rows {
        table += &row(measured);
    }
    table + "\n"
}

fn row(measured: &Measured) -> String {
    let row = &measured.row;
    let cells = [
        row.name(),
        grouped(f64::from(row.agencies)),
        grouped(measured.bets as f64),
        row.pace.batch_bets.to_string(),
        row.pace.window.to_string(),
        row.durability.to_owned(),
        spread(measured.bets_per_second()),
        spread(measured.ratio()),
        spread(measured.cpu_ns_per_bet()),
        format!("{:.0} %", measured.system_share() * 100.0),
        clients_cpu(measured),
        significant(measured.peak_mib().max),
        answer_time(measured, |times| times.quantile(0.5)),
        answer_time(measured, |times| times.quantile(0.99)),
        answer_time(measured, |times| Some(times.max())),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn clients_cpu(measured: &Measured) -> String {
    let cpu = measured.clients_cpu_ns_per_bet();
    cpu.map_or("–".to_owned(), spread)
}

fn answer_time(measured: &Measured, figure: impl Fn(&Histogram) -> Option<Duration>) -> String {
    let times = measured.answer_times.as_ref();
    times.and_then(figure).map_or("–".to_owned(), duration)
}

/// What an agency costs when there are many.
pub fn many_agencies(findings: &Findings) -> String {
    let is_meant = |measured: &&Measured| {
        measured.row.bets == Bets::Each && measured.row.driver != Driver::Clients
    };
    let mut table = String::from(
        "## Many agencies of 100 bets\n\n\
         | row | server CPU µs/agency | clock µs/agency | peak MiB |\n| --- | --: | --: | --: |\n",
    );
    for measured in findings.rows.iter().filter(is_meant) {
        table += &format!(
            "| {} | {} | {} | {} |\n",
            measured.row.name(),
            spread(measured.cpu_us_per_agency()),
            spread(measured.us_per_agency()),
            significant(measured.peak_mib().max),
        );
    }
    table + "\n"
}

/// Opening, drawing, starting.
pub fn store(findings: &Findings) -> String {
    let mut text = String::from("## Starting, opening and drawing\n\n");
    if let Some(starts) = findings.starts_ms {
        text += &format!(
            "- From start to listening, empty store: {} ms\n",
            spread(starts)
        );
    }
    if let Some(store) = &findings.store {
        text += &format!(
            "- Store of {} bets, {} MB, opened after a crash at {} MB/s\n\
             - The draw over it: {} ms; another connection waited at most {} ms, and was answered {} \
             times; peak of memory {} MiB\n",
            grouped(store.bets as f64),
            grouped(store.bytes as f64 / 1e6),
            spread(store.opening_mb_per_second()),
            spread(store.draw_ms()),
            spread(store.longest_wait_ms()),
            significant(store.probes().median),
            significant(store.peak_mib().max),
        );
    }
    text + "\n"
}

/// System calls for a batch.
pub fn system_calls(counted: Option<&[CountedCalls]>) -> String {
    let heading = "## The server's system calls for a batch\n\n";
    let Some(counted) = counted else {
        return format!("{heading}Not counted: strace is not here, or may not trace.\n\n");
    };
    let mut text = format!(
        "{heading}Counted by strace from start to end of the server. Tracing slows it down, so that \
         more is ready in each of its turns than otherwise.\n\n\
         | run | batches | calls for a batch | of these |\n| --- | --: | --: | --- |\n"
    );
    for CountedCalls {
        what,
        batches,
        calls,
    } in counted
    {
        let for_a_batch = |count: u64| significant(count as f64 / *batches as f64);
        let all = calls.iter().map(|call| call.count).sum();
        let shown = calls.iter().take(CALLS_SHOWN);
        let shown = shown.map(|call| format!("{} {}", call.name, for_a_batch(call.count)));
        let shown: Vec<_> = shown.collect();
        text += &format!(
            "| {what} | {} | {} | {} |\n",
            grouped(*batches as f64),
            for_a_batch(all),
            shown.join(", ")
        );
    }
    text + "\n"
}

/// A row in one line, for who watches.
pub fn line(measured: &Measured) -> String {
    format!(
        "{:<26} {:>6} s, floor {:>6} s, × {}; {} bets/s; CPU {} ns/bet, {:.0} % kernel, clients {}; {} MiB; p50 {}, p99 {}, max {}",
        measured.row.name(),
        significant(measured.seconds().median),
        significant(measured.floor_seconds().median),
        spread(measured.ratio()),
        grouped(measured.bets_per_second().median),
        spread(measured.cpu_ns_per_bet()),
        measured.system_share() * 100.0,
        clients_cpu(measured),
        significant(measured.peak_mib().max),
        answer_time(measured, |times| times.quantile(0.5)),
        answer_time(measured, |times| times.quantile(0.99)),
        answer_time(measured, |times| Some(times.max())),
    )
}
