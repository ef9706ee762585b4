//! The agencies' progress and how it is shown: bars on a terminal, lines elsewhere, a table at the end.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use client::agency::News;
use client::bet_source::RowError;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::central::WINNING_NUMBER;
use crate::{Options, stop};

/// Once there are so many troubles, no more invalid rows are added; a file may have a thousand.
const TROUBLES_MAX: usize = 5;

/// How many winners fit into a line of 60 columns.
const WINNERS_PER_LINE: usize = 5;

const BAR: &str = "agency {prefix:>3} {wide_bar:.cyan/blue} {percent:>3}% {msg:>11}";
const DRAW: &str = "draw       {wide_msg}";

pub struct Day {
    agencies: Vec<Agency>,
    bars: MultiProgress,
    draw: ProgressBar,
    began: Instant,
    pub troubles: Vec<String>,
}

struct Agency {
    /// How much of its file is stored. It is finished when all is.
    bar: ProgressBar,
    bets: u64,
    /// From the day's beginning until its last bets so far were stored.
    time: Duration,
    winners: Option<Vec<u32>>,
}

impl Day {
    /// A day that is not shown yet. Fails when an agency has no file.
    pub fn new(options: &Options) -> Result<Day> {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let bar = |length, template| {
            let style = ProgressStyle::with_template(template);
            let style = style.expect("the templates are constant and were tried");
            bars.add(ProgressBar::new(length).with_style(style.progress_chars("━╸─")))
        };
        let agency = |number| {
            let path = options.data_file(number);
            let metadata = path.metadata().map_err(|error| {
                let advice = format!("`make datasets AGENCIES={number}` makes such files");
                anyhow!("{}: {error}; {advice}", path.display())
            })?;
            Ok(Agency {
                bar: bar(metadata.len(), BAR).with_prefix(number.to_string()),
                bets: 0,
                time: Duration::ZERO,
                winners: None,
            })
        };
        Ok(Day {
            agencies: (1..=options.agencies).map(agency).collect::<Result<_>>()?,
            draw: bar(0, DRAW),
            bars,
            began: Instant::now(),
            troubles: Vec::new(),
        })
    }

    pub fn open(&mut self, introduction: &str) {
        self.say(introduction);
        self.began = Instant::now();
        self.agencies.iter().for_each(|agency| agency.bar.tick());
    }

    /// Takes a step of an agency, which has so many bets stored, of so many bytes of its file.
    pub fn note(&mut self, number: u32, news: &News, bets: u64, bytes: u64) {
        let agency = &mut self.agencies[number as usize - 1];
        let had_finished = agency.bar.is_finished();
        agency.bets = bets;
        agency.bar.set_position(bytes);
        agency.bar.set_message(format!("{bets} bets"));
        match news {
            News::Welcomed(_) => {}
            News::Registered(_) => agency.time = self.began.elapsed(),
            // The winners may come with the last answers, so that nobody has waited for them.
            News::AwaitingDraw | News::Winners => agency.bar.finish(),
        }
        let has_just_finished = agency.bar.is_finished() && !had_finished;
        let is_missing = |agency: &&Agency| !agency.bar.is_finished();
        let missing = self.agencies.iter().filter(is_missing).count();
        let missing = format!("agencies missing: {missing}");
        if !self.bars.is_hidden() {
            self.draw.set_message(missing);
        } else if has_just_finished {
            self.say(&format!("agency {number}: {bets} bets; {missing}"));
        }
    }

    /// An agency's part is over, perhaps because of a signal. When it failed, the draw will never be held.
    pub fn ended(&mut self, number: u32, result: Result<Vec<u32>>, was_signalled: bool) {
        let is_over = result.is_err();
        match result {
            Ok(winners) => self.agencies[number as usize - 1].winners = Some(winners),
            Err(_) if was_signalled => {}
            Err(error) => self.troubles.push(format!("agency {number}: {error:#}")),
        }
        if is_over || self.is_complete() {
            stop();
        }
    }

    /// A row of an agency's file is invalid and skipped.
    pub fn row_rejected(&mut self, error: &RowError) {
        if self.troubles.len() < TROUBLES_MAX {
            self.troubles.push(error.to_string());
        }
    }

    pub fn is_complete(&self) -> bool {
        self.agencies.iter().all(|agency| agency.winners.is_some())
    }

    /// Makes room for the results. Bars that did not come to their end stay: the terminal's `^C` has moved the
    /// cursor, and they cannot be cleared any more.
    pub fn close(&mut self) {
        if self.is_complete() {
            // Bars that cannot be cleared are not there.
            let _ = self.bars.clear();
        } else if !self.bars.is_hidden() {
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
            self.say("");
        }
    }

    /// The table, the number drawn, and who won.
    pub fn results(&self) -> String {
        let mut text = String::from("\nagency      bets  winners      time        rate\n");
        for (number, agency) in (1..).zip(&self.agencies) {
            text += &row(&number, std::slice::from_ref(agency));
        }
        text += &row(&"total", &self.agencies);
        text += &format!("\nnumber drawn: {WINNING_NUMBER}\n");
        for (number, agency) in (1..).zip(&self.agencies) {
            let winners = agency.winners.as_deref().unwrap_or_default();
            let lines = winners.chunks(WINNERS_PER_LINE).map(|line| {
                let line: Vec<_> = line.iter().map(u32::to_string).collect();
                line.join(", ")
            });
            let lines = lines.collect::<Vec<_>>().join(",\n          ");
            let none = if winners.is_empty() { "no winners" } else { "" };
            text += &format!("agency {number}: {lines}{none}\n");
        }
        text
    }

    fn say(&mut self, line: &str) {
        if let Err(error) = writeln!(io::stdout(), "{line}") {
            self.troubles = vec![format!("writing to standard output: {error}")];
            stop();
        }
    }
}

fn row(name: &dyn Display, agencies: &[Agency]) -> String {
    let bets: u64 = agencies.iter().map(|agency| agency.bets).sum();
    let winners = agencies.iter().flat_map(|agency| &agency.winners);
    let winners: usize = winners.map(Vec::len).sum();
    let time = agencies.iter().map(|agency| agency.time).max();
    let seconds = time.unwrap_or_default().as_secs_f64();
    // A file without bets takes no time.
    let rate = bets as f64 / seconds.max(f64::MIN_POSITIVE);
    format!("{name:<6} {bets:>9} {winners:>8} {seconds:>8.3}s {rate:>9.0}/s\n")
}
