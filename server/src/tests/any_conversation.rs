//! Any conversation, beside a lottery as simple as it can be told: the answer to each message, good or not, in
//! whatever state. Many agencies in one turn, and all that fails, is for the simulator.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::testing::*;

const NAMES: [usize; 3] = [A, B, C];

/// Who says what, in the words of [`encode`]. Who says nothing gets a new connection.
type Step = (usize, Vec<String>);

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
    let step = (
        prop::sample::select(&NAMES[..]),
        prop::collection::vec(words, 0..6),
    );
    prop::collection::vec(step, 0..30)
}

/// No files, no bytes; each message has its effect at once.
#[derive(Default)]
struct Model {
    agencies: [ModelAgency; 2],
    connections: [ModelConnection; 4],
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
    agency: Option<usize>,
    is_waiting: bool,
    is_over: bool,
    told: Vec<String>,
}

impl Model {
    /// What was said is heard, and then what waited for the draw.
    fn turn(&mut self, name: usize) {
        self.hear_all(name);
        self.is_drawn |= self.agencies.iter().all(|agency| agency.has_finished);
        let is_waiting = |model: &Model, name: &usize| model.connections[*name].is_waiting;
        while self.is_drawn
            && let Some(name) = NAMES.into_iter().find(|name| is_waiting(self, name))
        {
            let connection = &mut self.connections[name];
            let bets = &self.agencies[connection.agency.unwrap()].bets;
            let won = bets.iter().filter_map(|bet| bet.strip_suffix('!'));
            let won = won.collect::<Vec<_>>().join(", ");
            connection.told.push(format!("winners [{won}]"));
            connection.is_waiting = false;
            self.hear_all(name);
        }
    }

    fn hear_all(&mut self, name: usize) {
        loop {
            let connection = &mut self.connections[name];
            if connection.is_waiting || connection.is_over {
                return;
            }
            let Some(words) = connection.said.pop_front() else {
                return;
            };
            let told = self.hear(name, &words).unwrap_or_else(|code| {
                self.leave(name);
                format!("refused {code}")
            });
            let told = Some(told).filter(|told| !told.is_empty());
            self.connections[name].told.extend(told);
        }
    }

    /// The answer, or the code of the refusal.
    fn hear(&mut self, name: usize, words: &str) -> Result<String, u8> {
        let known = self.connections[name].agency;
        let missing = self.agencies.iter().filter(|agency| !agency.has_finished);
        let words: Vec<&str> = words.split(' ').collect();
        let index = match words[..] {
            ["ack"] => return Ok(String::new()),
            ["batch", _] => return Ok("stored".into()),
            ["status"] if self.is_drawn => return Ok("status drawn".into()),
            ["status"] => return Ok(format!("status {}/2", missing.count())),
            ["nonsense"] => return Err(1),
            ["finish" | "winners"] => known.ok_or(9)?,
            _ => words[1].parse::<usize>().unwrap() - 1,
        };
        if known.is_some_and(|known| known != index) {
            return Err(4);
        }
        let has_finished = self.agencies.get(index).ok_or(6)?.has_finished;
        match words[..] {
            ["hello", _] => {
                self.enter(name, index);
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
                self.enter(name, index);
                let bets = words[2..].iter().map(|word| (*word).to_owned());
                self.agencies[index].bets.extend(bets);
                return Ok("stored".into());
            }
        }
        Ok(String::new())
    }

    fn leave(&mut self, name: usize) {
        self.connections[name].is_over = true;
        for agency in &mut self.agencies {
            agency.connection.take_if(|connection| *connection == name);
        }
    }

    fn enter(&mut self, name: usize, index: usize) {
        self.connections[name].agency = Some(index);
        let old = self.agencies[index].connection.replace(name);
        if let Some(old) = old.filter(|old| *old != name) {
            let old = &mut self.connections[old];
            (old.is_over, old.is_waiting) = (true, false);
        }
    }
}

fn compare(world: &mut World, model: &mut Model) {
    for name in NAMES {
        let expected = &mut model.connections[name];
        world.expect(name, &std::mem::take(&mut expected.told).join(", "));
        assert_eq!(world.is_over(name), expected.is_over);
    }
    let mut stored = world.stored();
    stored.sort_by_key(|(agency, _)| *agency);
    let agencies = (1..).zip(&model.agencies);
    let expected = agencies.flat_map(|(number, agency)| {
        let documents = agency.bets.iter().map(|bet| bet.trim_end_matches('!'));
        documents.map(move |document| (number, document.parse().unwrap()))
    });
    assert_eq!(stored, expected.collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_conversation_is_answered_in_order_and_stored_as_if_each_message_took_effect_at_once(
        steps in steps()
    ) {
        let mut world = World::of(2);
        let mut model = Model::default();
        for (name, said) in steps {
            if said.is_empty() {
                world.dies(name);
                model.leave(name);
                model.connections[name] = ModelConnection::default();
            }
            world.hears(name, said.join(", "));
            model.connections[name].said.extend(said);
            model.turn(name);
            compare(&mut world, &mut model);
        }
    }
}
