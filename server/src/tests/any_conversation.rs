//! Any conversation, beside a lottery as simple as it can be told.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::limits::SHARES;
use crate::testing::*;

const NAMES: [usize; 3] = [A, B, C];

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    /// A peer says this, in the words of [`encode`].
    Say(usize, String),
    /// It sends no more, and still reads.
    End(usize),
    /// Its connection is replaced by a new one.
    Reconnect(usize),
    Turn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Agency 3 does not take part, a bet with DNI 0 is invalid, and those with another even one win.
    let agency = || prop_oneof![8 => 1..=2_u32, 1 => Just(3)];
    let bet = (0..20_u32).prop_map(|document| match document % 2 {
        0 if document > 0 => format!(" {document}!"),
        _ => format!(" {document}"),
    });
    let bets = prop::collection::vec(bet, 0..4).prop_map(|bets| bets.concat());
    let words = prop_oneof![
        2 => agency().prop_map(|agency| format!("hello {agency}")),
        6 => (agency(), bets).prop_map(|(agency, bets)| format!("batch {agency}{bets}")),
        6 => prop::sample::select(&["finish", "winners", "finish", "winners", "ack", "status",
            "nonsense"][..]).prop_map(str::to_owned),
    ];
    let name = || prop::sample::select(&NAMES[..]);
    let step = prop_oneof![
        14 => (name(), words).prop_map(|(name, words)| Step::Say(name, words)),
        1 => name().prop_map(Step::End),
        2 => name().prop_map(Step::Reconnect),
        4 => Just(Step::Turn),
    ];
    prop::collection::vec(step, 0..60)
}

/// A lottery as simple as it can be told: no files, no bytes; each message has its effect at once, in
/// the order in which a turn takes them.
#[derive(Default)]
struct Model {
    agencies: [ModelAgency; 2],
    connections: [ModelConnection; 4],
    /// Whom the next turn hears.
    speakers: Vec<usize>,
    is_drawn: bool,
}

#[derive(Default)]
struct ModelAgency {
    bets: Vec<String>,
    has_finished: bool,
    connection: Option<usize>,
}

#[derive(Default)]
struct ModelConnection {
    /// What was not heard yet.
    said: VecDeque<String>,
    agency: Option<u32>,
    was_heard: bool,
    is_waiting: bool,
    has_ended: bool,
    /// Whether it was closed without a word, so that answers may be lost.
    is_cut: bool,
    is_over: bool,
    told: Vec<String>,
}

impl Model {
    fn speaks(&mut self, name: usize) {
        if !self.connections[name].is_waiting && !self.speakers.contains(&name) {
            self.speakers.push(name);
        }
    }

    /// A turn, and those after it in which what waited for the draw is heard.
    fn turn(&mut self) {
        let rank = |connection: &ModelConnection| match connection.agency {
            Some(_) => 0,
            None => 1 + u8::from(connection.was_heard),
        };
        let mut speakers = std::mem::take(&mut self.speakers);
        speakers.sort_by_key(|name| rank(&self.connections[*name]));
        while !speakers.is_empty() {
            for name in speakers {
                self.visit(name);
            }
            self.is_drawn |= self.agencies.iter().all(|agency| agency.has_finished);
            speakers = NAMES.to_vec();
            speakers.retain(|name| self.is_drawn && self.connections[*name].is_waiting);
            for name in &speakers {
                let connection = &mut self.connections[*name];
                let bets = &self.agencies[connection.agency.unwrap() as usize - 1].bets;
                let won = bets.iter().filter_map(|bet| bet.strip_suffix('!'));
                let won = won.collect::<Vec<_>>().join(", ");
                connection.told.push(format!("winners [{won}]"));
                connection.is_waiting = false;
            }
        }
    }

    fn visit(&mut self, name: usize) {
        loop {
            let connection = &mut self.connections[name];
            if connection.is_waiting || connection.is_over {
                return;
            }
            let Some(words) = connection.said.pop_front() else {
                connection.is_over = connection.has_ended;
                return;
            };
            connection.was_heard = true;
            match self.hear(name, &words) {
                Ok(told) if told.is_empty() => {}
                Ok(told) => self.connections[name].told.push(told),
                Err(code) => {
                    let connection = &mut self.connections[name];
                    connection.told.push(format!("refused {code}"));
                    connection.is_over = true;
                    self.leave(name);
                }
            }
        }
    }

    /// The answer, or the code of the refusal.
    fn hear(&mut self, name: usize, words: &str) -> Result<String, u8> {
        let known = self.connections[name].agency;
        let missing = self.agencies.iter().filter(|agency| !agency.has_finished);
        let words: Vec<&str> = words.split(' ').collect();
        let number = match words[..] {
            ["ack"] => return Ok(String::new()),
            ["batch", _] => return Ok("stored".into()),
            ["status"] if self.is_drawn => return Ok("status drawn".into()),
            ["status"] => return Ok(format!("status {}/2", missing.count())),
            ["nonsense"] => return Err(1),
            ["finish" | "winners"] => known.ok_or(9)?,
            _ => words[1].parse().unwrap(),
        };
        if known.is_some_and(|known| known != number) {
            return Err(4);
        }
        let index = number as usize - 1;
        let has_finished = self.agencies.get(index).ok_or(6)?.has_finished;
        match words[..] {
            ["hello", _] => {
                self.enter(name, number);
                let stage = match (self.is_drawn, has_finished) {
                    (true, _) => "drawn",
                    (false, true) => "finished",
                    (false, false) => "betting",
                };
                let bets = self.agencies[index].bets.len();
                return Ok(format!("welcome {bets} {stage}"));
            }
            ["finish"] => self.agencies[index].has_finished = true,
            ["winners"] if has_finished => self.connections[name].is_waiting = true,
            ["winners"] => return Err(9),
            _ if has_finished => return Err(5),
            _ if words.contains(&"0") => return Err(2),
            _ => {
                self.enter(name, number);
                let bets = words[2..].iter().map(|word| (*word).to_owned());
                self.agencies[index].bets.extend(bets);
                return Ok("stored".into());
            }
        }
        Ok(String::new())
    }

    fn leave(&mut self, name: usize) {
        for agency in &mut self.agencies {
            agency.connection.take_if(|connection| *connection == name);
        }
    }

    fn enter(&mut self, name: usize, agency: u32) {
        self.connections[name].agency = Some(agency);
        let old = self.agencies[agency as usize - 1].connection.replace(name);
        if let Some(old) = old.filter(|old| *old != name) {
            let old = &mut self.connections[old];
            (old.is_over, old.is_cut, old.is_waiting) = (true, true, false);
        }
    }
}

/// The server and the model side by side.
struct Comparison {
    world: World,
    model: Model,
    /// What each peer was told.
    told: [Vec<String>; 4],
}

impl Comparison {
    fn take(&mut self, step: Step) {
        match step {
            Step::Say(name, words) => {
                self.world.sends(name, &*words);
                let connection = &mut self.model.connections[name];
                if !connection.has_ended {
                    connection.said.push_back(words);
                    self.model.speaks(name);
                }
                // More would be left for the next turn.
                if self.model.connections[name].said.len() == SHARES[1].visit_messages {
                    self.turn();
                }
            }
            Step::End(name) => {
                self.world.ends(name);
                self.model.connections[name].has_ended = true;
                self.model.speaks(name);
            }
            Step::Reconnect(name) => {
                self.compare(name, true);
                self.told[name].clear();
                self.world.dies(name);
                self.model.leave(name);
                self.model.speakers.retain(|speaker| *speaker != name);
                self.model.connections[name] = ModelConnection::default();
            }
            Step::Turn => self.turn(),
        }
    }

    fn turn(&mut self) {
        self.world.run();
        self.model.turn();
        for name in NAMES {
            self.compare(name, false);
        }
        let mut stored = self.world.stored();
        stored.sort_by_key(|(agency, _)| *agency);
        let agencies = (1..).zip(&self.model.agencies);
        let expected = agencies.flat_map(|(number, agency)| {
            let documents = agency.bets.iter().map(|bet| bet.trim_end_matches('!'));
            documents.map(move |document| (number, document.parse().unwrap()))
        });
        assert_eq!(stored, expected.collect::<Vec<_>>());
    }

    fn compare(&mut self, name: usize, may_lack: bool) {
        let told = &mut self.told[name];
        told.extend(Some(self.world.told(name)).filter(|told| !told.is_empty()));
        let told = told.join(", ");
        let expected = &self.model.connections[name];
        if may_lack || expected.is_cut {
            assert!(expected.told.join(", ").starts_with(&told), "{told}");
        } else {
            assert_eq!(told, expected.told.join(", "));
            assert_eq!(self.world.is_over(name), expected.is_over);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_conversation_is_answered_in_order_and_stored_as_if_each_message_took_effect_at_once(
        steps in steps()
    ) {
        let mut comparison = Comparison {
            world: World::of(2),
            model: Model::default(),
            told: Default::default(),
        };
        for step in steps.into_iter().chain([Step::Turn]) {
            comparison.take(step);
        }
    }
}
