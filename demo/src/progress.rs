//! What the user sees while the lottery runs: bars on a terminal, lines elsewhere.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::agency::{Agency, counted};

/// How often what turns turns.
const SPINNER_PERIOD: Duration = Duration::from_millis(100);

/// Shows a run. An error is one of standard output, and ends the run.
pub trait Display {
    /// Something about an agency changed; `missing` agencies have not sent everything.
    fn agency(&mut self, agency: &Agency, missing: u32) -> io::Result<()>;

    /// The draw was held.
    fn drawn(&mut self) -> io::Result<()>;

    /// Says something that stays to be read.
    fn say(&mut self, line: &str) -> io::Result<()>;

    /// The user wants an end: shows nothing more.
    fn interrupt(&mut self);

    /// Nothing more will change.
    fn finish(&mut self);
}

/// The display for where standard output goes. Bars need a terminal that can go back in its text;
/// who sets `NO_COLOR` wants text and nothing else.
pub fn choose(agencies: &[Agency]) -> Box<dyn Display> {
    let target = ProgressDrawTarget::stdout();
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if is_plain || target.is_hidden() {
        Box::new(Lines::new(io::stdout()))
    } else {
        Box::new(Bars::new(target, agencies))
    }
}

/// All agencies at once, each with a bar that becomes a line of words when its bets are sent, and
/// the draw below them.
struct Bars {
    all: MultiProgress,
    agencies: Vec<ProgressBar>,
    draw: ProgressBar,
}

impl Bars {
    fn new(target: ProgressDrawTarget, agencies: &[Agency]) -> Bars {
        let all = MultiProgress::with_draw_target(target);
        let width = agencies.len().to_string().len();
        let add = |prefix: String, total, style| {
            let bar = all.add(ProgressBar::new(total).with_style(style));
            bar.set_prefix(prefix);
            bar.tick();
            bar
        };
        let bars = agencies
            .iter()
            .map(|agency| {
                let prefix = format!("agency {:>width$}", agency.number);
                add(prefix, agency.bets_total, sending())
            })
            .collect();
        let draw = add(format!("draw    {:width$}", ""), 0, words());
        let bars = Bars {
            all: all.clone(),
            agencies: bars,
            draw,
        };
        bars.draw_misses(agencies.len() as u64);
        bars
    }

    fn draw_misses(&self, missing: u64) {
        let missing = counted(missing, "agency", "agencies");
        self.draw.set_message(format!("{missing} missing"));
    }
}

/// The last bar leaves its line open.
fn end_last_line() {
    // Who cannot be given a new line needs none.
    let _ = writeln!(io::stdout());
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates are constant and were tried")
        .progress_chars("━╸─")
}

fn words() -> ProgressStyle {
    style("{prefix} {wide_msg}")
}

fn sending() -> ProgressStyle {
    style("{prefix} {bar:12.cyan/blue} {pos:>8}/{len:<8} {rate:>10} {eta:>4} left").with_key(
        "rate",
        |state: &ProgressState, text: &mut dyn fmt::Write| {
            // The text is a string in memory, which takes everything.
            let _ = write!(text, "{:.0}/s", state.per_sec());
        },
    )
}

fn waiting() -> ProgressStyle {
    style("{prefix} {bar:12.cyan/blue} {spinner:.cyan} {wide_msg}")
}

fn done() -> ProgressStyle {
    style("{prefix} {bar:12.cyan/blue} {wide_msg}")
}

impl Display for Bars {
    fn agency(&mut self, agency: &Agency, missing: u32) -> io::Result<()> {
        let Some(bar) = self.agencies.get(agency.number as usize - 1) else {
            return Ok(());
        };
        bar.set_position(agency.bets_sent);
        if agency.winners.is_some() {
            bar.set_style(done());
            // Not "finished", which would fill the bar: rows may have been left out.
            bar.abandon_with_message(agency.standing(missing));
        } else if agency.is_closed {
            bar.set_style(waiting());
            bar.set_message(agency.standing(missing));
            bar.enable_steady_tick(SPINNER_PERIOD);
        }
        if !self.draw.is_finished() {
            self.draw_misses(missing.into());
        }
        Ok(())
    }

    fn drawn(&mut self) -> io::Result<()> {
        self.draw.finish_with_message("held");
        Ok(())
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.all.println(line)
    }

    /// The terminal's `^C` has moved the cursor, and bars drawn again would miss their places.
    fn interrupt(&mut self) {
        self.all.set_draw_target(ProgressDrawTarget::hidden());
        end_last_line();
    }

    fn finish(&mut self) {
        for bar in self.agencies.iter().chain([&self.draw]) {
            if !bar.is_finished() {
                bar.abandon();
            }
        }
        if !self.all.is_hidden() {
            end_last_line();
        }
    }
}

/// A line for each tenth of a file and for each step after it.
struct Lines<W> {
    output: W,
    told: HashMap<u32, Told>,
}

/// What was said about an agency.
#[derive(Default)]
struct Told {
    tenths: u64,
    is_waiting: bool,
    winners: bool,
}

impl<W: Write> Lines<W> {
    fn new(output: W) -> Lines<W> {
        let told = HashMap::new();
        Lines { output, told }
    }
}

impl<W: Write> Display for Lines<W> {
    fn agency(&mut self, agency: &Agency, missing: u32) -> io::Result<()> {
        let (number, sent, total) = (agency.number, agency.bets_sent, agency.bets_total);
        let told = self.told.entry(number).or_default();
        let tenths = agency.tenths();
        if sent > 0 && tenths > told.tenths {
            told.tenths = tenths;
            let percent = tenths * 10;
            writeln!(
                self.output,
                "agency {number}: {percent:>3}%, {sent} of {total} bets"
            )?;
        }
        // The central may be heard before the agency's own last lines: what it sent comes first.
        if agency.is_closed && tenths == 10 && !told.is_waiting && agency.winners.is_none() {
            told.is_waiting = true;
            writeln!(self.output, "agency {number}: {}", agency.standing(missing))?;
        }
        if agency.winners.is_some() && !told.winners {
            told.winners = true;
            writeln!(self.output, "agency {number}: {}", agency.standing(missing))?;
        }
        Ok(())
    }

    fn drawn(&mut self) -> io::Result<()> {
        self.say("draw: held")
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.output, "{line}")
    }

    fn interrupt(&mut self) {}

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn lines_of(show: impl FnOnce(&mut Lines<&mut Vec<u8>>)) -> String {
        let mut output = Vec::new();
        show(&mut Lines::new(&mut output));
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn there_is_one_line_for_each_tenth() {
        let text = lines_of(|lines| {
            let mut agency = Agency::new(1, 1000, Instant::now());
            for _ in 0..1000 {
                agency.bets_sent += 1;
                lines.agency(&agency, 1).unwrap();
            }
        });
        assert_eq!(text.lines().count(), 10);
        assert_eq!(
            text.lines().next(),
            Some("agency 1:  10%, 100 of 1000 bets")
        );
        assert_eq!(
            text.lines().last(),
            Some("agency 1: 100%, 1000 of 1000 bets")
        );
    }

    #[test]
    fn each_step_after_the_bets_is_told_once() {
        let text = lines_of(|lines| {
            let mut agency = Agency::new(2, 10, Instant::now());
            agency.is_closed = true;
            lines.agency(&agency, 3).unwrap();
            agency.bets_sent = 10;
            lines.agency(&agency, 3).unwrap();
            lines.agency(&agency, 2).unwrap();
            lines.drawn().unwrap();
            agency.winners = Some(1);
            lines.agency(&agency, 0).unwrap();
            lines.agency(&agency, 0).unwrap();
        });
        assert_eq!(
            text,
            "agency 2: 100%, 10 of 10 bets\n\
             agency 2: 10 bets, waiting for the draw, 3 agencies missing\n\
             draw: held\n\
             agency 2: 10 bets in 0.000s, 1 winner\n"
        );
    }

    #[test]
    fn bars_take_every_step() {
        let agencies = [Agency::new(1, 10, Instant::now())];
        let mut bars = Bars::new(ProgressDrawTarget::hidden(), &agencies);
        let mut agency = agencies[0].clone();
        agency.bets_sent = 5;
        bars.agency(&agency, 1).unwrap();
        assert_eq!(bars.agencies[0].position(), 5);
        agency.is_closed = true;
        bars.agency(&agency, 0).unwrap();
        bars.drawn().unwrap();
        agency.winners = Some(0);
        bars.agency(&agency, 0).unwrap();
        assert_eq!(
            bars.agencies[0].message(),
            "5 bets in 0.000s, 0 winners".to_owned()
        );
        bars.finish();
        assert!(bars.draw.is_finished());
    }
}
