//! Any conversation, beside a lottery as simple as it can be told.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::limits::SHARES;
use crate::testing::*;

const NAMES: [usize; 3] = [A, B, C];

/// What a peer says.
#[derive(Clone, Debug)]
enum Say {
    Hello(u32),
    /// A batch of so many bets, perhaps with an invalid one behind.
    Batch(u32, u32, bool),
    Finish,
    Winners,
    Ack,
    Status,
    /// Bytes that are no message.
    Nonsense,
}

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    Say(usize, Say),
    /// The peer sends no more, and still reads.
    End(usize),
    /// The peer takes so many bytes of its answers, and no more until the end.
    Take(usize, usize),
    /// The connection is replaced by a new one.
    Reconnect(usize),
    Turn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Agency 3 does not take part.
    let agency = || prop_oneof![8 => 1..=2_u32, 1 => Just(3)];
    let say = prop_oneof![
        2 => agency().prop_map(Say::Hello),
        6 => (agency(), 0..4_u32, prop::bool::weighted(0.1))
            .prop_map(|(agency, bets, is_bad)| Say::Batch(agency, bets, is_bad)),
        2 => Just(Say::Finish),
        2 => Just(Say::Winners),
        2 => prop::sample::select(&[Say::Ack, Say::Status, Say::Nonsense][..]),
    ];
    let name = || prop::sample::select(&NAMES[..]);
    let step = prop_oneof![
        14 => (name(), say).prop_map(|(name, say)| Step::Say(name, say)),
        1 => name().prop_map(Step::End),
        1 => (name(), 0..40_usize).prop_map(|(name, bytes)| Step::Take(name, bytes)),
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
    documents: Vec<u32>,
    has_finished: bool,
    connection: Option<usize>,
}

#[derive(Default)]
struct ModelConnection {
    /// What was not heard yet, each with the documents of its bets.
    said: VecDeque<(Say, Vec<u32>)>,
    agency: Option<u32>,
    was_heard: bool,
    is_waiting: bool,
    has_ended: bool,
    is_slow: bool,
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

    /// A turn, and those behind it in which what waited for the draw is heard.
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
                let agency = connection.agency.unwrap() as usize - 1;
                let documents = self.agencies[agency].documents.iter();
                let winners: Vec<_> = documents.filter(|document| *document % 2 == 0).collect();
                connection.told.push(format!("winners {winners:?}"));
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
            let Some((say, documents)) = connection.said.pop_front() else {
                connection.is_over = connection.has_ended;
                return;
            };
            connection.was_heard = true;
            match self.hear(name, &say, &documents) {
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
    fn hear(&mut self, name: usize, say: &Say, documents: &[u32]) -> Result<String, u8> {
        let known = self.connections[name].agency;
        let missing = self.agencies.iter().filter(|agency| !agency.has_finished);
        let named = match say {
            Say::Ack => return Ok(String::new()),
            Say::Batch(_, 0, _) => return Ok("stored".into()),
            Say::Status if self.is_drawn => return Ok("status drawn".into()),
            Say::Status => return Ok(format!("status {}/2", missing.count())),
            Say::Nonsense => return Err(1),
            Say::Hello(agency) | Say::Batch(agency, ..) => Some(*agency),
            Say::Finish | Say::Winners => known,
        };
        let number = named.ok_or(9)?;
        if known.is_some_and(|known| known != number) {
            return Err(4);
        }
        let index = number as usize - 1;
        let has_finished = self.agencies.get(index).ok_or(6)?.has_finished;
        match say {
            Say::Hello(_) => {
                self.enter(name, number);
                let stage = match (self.is_drawn, has_finished) {
                    (true, _) => "drawn",
                    (false, true) => "finished",
                    (false, false) => "betting",
                };
                let bets = self.agencies[index].documents.len();
                return Ok(format!("welcome {bets} {stage}"));
            }
            Say::Finish => self.agencies[index].has_finished = true,
            Say::Winners if has_finished => self.connections[name].is_waiting = true,
            Say::Winners => return Err(9),
            _ if has_finished => return Err(5),
            Say::Batch(.., true) => return Err(2),
            _ => {
                self.enter(name, number);
                self.agencies[index].documents.extend(documents);
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
    documents_used: u32,
    /// What each peer was told.
    told: [String; 4],
}

impl Comparison {
    fn take(&mut self, step: Step) {
        match step {
            Step::Say(name, say) => self.say(name, say),
            Step::End(name) => {
                self.world.ends(name);
                self.model.connections[name].has_ended = true;
                self.model.speaks(name);
            }
            Step::Take(name, bytes) => {
                self.world.takes(name, bytes);
                self.model.connections[name].is_slow = true;
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

    fn say(&mut self, name: usize, say: Say) {
        let mut documents = Vec::new();
        let words = match &say {
            Say::Hello(agency) => format!("hello {agency}"),
            Say::Batch(agency, count, is_bad) => {
                documents.extend((self.documents_used + 1..).take(*count as usize));
                self.documents_used += count;
                let mut words = format!("batch {agency}");
                for document in &documents {
                    let winning = ["!", ""][*document as usize % 2];
                    words.push_str(&format!(" {document}{winning}"));
                }
                if *is_bad && *count > 0 {
                    words.push_str(" 0");
                }
                words
            }
            other => format!("{other:?}").to_lowercase(),
        };
        self.world.sends(name, words);
        let connection = &mut self.model.connections[name];
        if !connection.has_ended {
            connection.said.push_back((say, documents));
            self.model.speaks(name);
        }
        // More would be left for the next turn.
        if self.model.connections[name].said.len() == SHARES[1].visit_messages {
            self.turn();
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
            let documents = agency.documents.iter();
            documents.map(move |document| (number, *document))
        });
        assert_eq!(stored, expected.collect::<Vec<_>>());
    }

    fn compare(&mut self, name: usize, may_lack: bool) {
        let told = &mut self.told[name];
        let new = self.world.told(name);
        if !told.is_empty() && !new.is_empty() {
            told.push_str(", ");
        }
        told.push_str(&new);
        let expected = &self.model.connections[name];
        if may_lack || expected.is_cut || expected.is_slow {
            assert!(expected.told.join(", ").starts_with(&*told), "{told}");
        } else {
            assert_eq!(*told, expected.told.join(", "));
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
            documents_used: 0,
            told: Default::default(),
        };
        for step in steps {
            comparison.take(step);
        }
        for name in NAMES {
            comparison.world.takes(name, usize::MAX);
            comparison.model.connections[name].is_slow = false;
        }
        comparison.turn();
    }
}
