//! Any conversation, beside a lottery as simple as it can be told.

use proptest::prelude::*;

use super::*;

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Hello(usize, u32),
    /// A batch of so many bets; the last may be invalid.
    Batch(usize, u32, usize, bool),
    AllBetsSent(usize),
    RequestWinners(usize),
    Ack(usize),
    Status(usize),
    /// The connection is replaced by a new one.
    Reconnect(usize),
    EndTurn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let connection = 0..3_usize;
    // Agency 3 does not take part.
    let agency = prop_oneof![8 => 1..=2_u32, 1 => Just(3)];
    let step = prop_oneof![
        2 => (connection.clone(), agency.clone()).prop_map(|(id, agency)| Step::Hello(id, agency)),
        6 => (connection.clone(), agency, 0..4_usize, prop::bool::weighted(0.1))
            .prop_map(|(id, agency, bets, is_bad)| Step::Batch(id, agency, bets, is_bad)),
        2 => connection.clone().prop_map(Step::AllBetsSent),
        2 => connection.clone().prop_map(Step::RequestWinners),
        1 => connection.clone().prop_map(Step::Ack),
        1 => connection.clone().prop_map(Step::Status),
        2 => connection.prop_map(Step::Reconnect),
        4 => Just(Step::EndTurn),
    ];
    prop::collection::vec(step, 0..60)
}

/// A lottery as simple as it can be told: no turns, no files, no I/O; each request has its effect
/// at once. It says what each connection is to be answered.
#[derive(Default)]
struct Model {
    agencies: [ModelAgency; 2],
    connections: HashMap<ConnectionId, ModelConnection>,
}

#[derive(Default)]
struct ModelAgency {
    documents: Vec<u32>,
    closed: bool,
    connection: Option<ConnectionId>,
}

#[derive(Default)]
struct ModelConnection {
    agency: Option<u32>,
    /// Whether it was refused, or closed from either side.
    is_over: bool,
    /// Whether it was closed without a word, so that answers may be lost.
    is_cut: bool,
    is_waiting: bool,
    answers: Vec<&'static str>,
}

impl Model {
    fn agency(&mut self, agency: u32) -> &mut ModelAgency {
        &mut self.agencies[agency as usize - 1]
    }

    fn connection(&mut self, id: ConnectionId) -> &mut ModelConnection {
        self.connections.entry(id).or_default()
    }

    fn answer(&mut self, id: ConnectionId, answer: &'static str) {
        self.connection(id).answers.push(answer);
    }

    fn end(&mut self, id: ConnectionId) {
        self.connection(id).is_over = true;
        self.connection(id).is_waiting = false;
        for agency in &mut self.agencies {
            agency.connection.take_if(|connection| *connection == id);
        }
    }

    fn cut(&mut self, id: ConnectionId) {
        self.connection(id).is_cut = true;
        self.end(id);
    }

    fn refuse(&mut self, id: ConnectionId) {
        self.answer(id, "failed");
        self.end(id);
    }

    fn enter(&mut self, id: ConnectionId, agency: u32) {
        let old = self.agency(agency).connection.replace(id);
        if let Some(old) = old.filter(|old| *old != id) {
            self.cut(old);
            self.agency(agency).connection = Some(id);
        }
        self.connection(id).agency = Some(agency);
    }

    fn take(&mut self, id: ConnectionId, request: &Request<'_>) {
        let known = self.connection(id).agency;
        let agency = match request {
            Request::Hello { agency, .. } => Some(*agency),
            Request::RegisterBets(bets) => bets.first().map(|bet| bet.agency),
            _ => known,
        };
        let is_foreign =
            agency.is_some_and(|agency| agency > 2 || known.is_some_and(|known| known != agency));
        match (request, agency) {
            (Request::Ack, _) => {}
            (Request::Status, _) => self.answer(id, "status"),
            (Request::RegisterBets(_), None) => self.answer(id, "stored"),
            (_, None) => self.refuse(id),
            (_, Some(_)) if is_foreign => self.refuse(id),
            (Request::Hello { .. }, Some(agency)) => {
                self.enter(id, agency);
                self.answer(id, "welcome");
            }
            (Request::RegisterBets(bets), Some(agency)) => {
                if self.agency(agency).closed || bets.iter().any(|bet| bet.document == 0) {
                    return self.refuse(id);
                }
                self.enter(id, agency);
                let documents = bets.iter().map(|bet| bet.document);
                self.agency(agency).documents.extend(documents);
                self.answer(id, "stored");
            }
            (Request::AllBetsSent, Some(agency)) => self.agency(agency).closed = true,
            (Request::RequestWinners, Some(agency)) => {
                if self.agency(agency).closed {
                    self.connection(id).is_waiting = true;
                } else {
                    self.refuse(id);
                }
            }
        }
    }

    fn draw_when_due(&mut self) {
        if self.agencies.iter().all(|agency| agency.closed) {
            for connection in self.connections.values_mut() {
                if std::mem::take(&mut connection.is_waiting) {
                    connection.answers.push("winners");
                }
            }
        }
    }
}

/// The lottery and the model side by side.
struct Comparison {
    lottery: Lottery,
    model: Model,
    current: [ConnectionId; 3],
    connections_made: usize,
    documents_used: u32,
    answered: HashMap<ConnectionId, Vec<&'static str>>,
}

impl Comparison {
    fn new() -> Comparison {
        Comparison {
            lottery: Lottery::of(2),
            model: Model::default(),
            current: [A, B, C],
            connections_made: 10,
            documents_used: 0,
            answered: HashMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Hello(id, agency) => self.request(id, hello(agency)),
            Step::Batch(id, agency, count, is_bad) => {
                let mut all = Vec::new();
                for _ in 0..count {
                    self.documents_used += 1;
                    all.push(winning_bet(agency, self.documents_used));
                }
                if let Some(last) = all.last_mut().filter(|_| is_bad) {
                    last.document = 0;
                }
                self.request(id, Request::RegisterBets(all));
            }
            Step::AllBetsSent(id) => self.request(id, Request::AllBetsSent),
            Step::RequestWinners(id) => self.request(id, Request::RequestWinners),
            Step::Ack(id) => self.request(id, Request::Ack),
            Step::Status(id) => self.request(id, Request::Status),
            Step::Reconnect(slot) => {
                let old = self.current[slot];
                self.lottery.central.disconnected(old);
                self.model.cut(old);
                self.connections_made += 1;
                self.current[slot] = ConnectionId(self.connections_made);
                self.lottery.central.connected(self.current[slot]);
            }
            Step::EndTurn => self.end_turn(),
        }
    }

    /// Asks both, unless the connection is parked: the caller holds requests back then.
    fn request(&mut self, slot: usize, request: Request<'static>) {
        let id = self.current[slot];
        assert_eq!(
            self.lottery.central.is_parked(id),
            self.model.connection(id).is_waiting
        );
        if !self.lottery.central.is_parked(id) {
            if !self.model.connection(id).is_over {
                self.model.take(id, &request);
            }
            self.lottery.says(id, request);
        }
    }

    fn end_turn(&mut self) {
        self.model.draw_when_due();
        for output in self.lottery.turn() {
            let (id, reply) = match output {
                Output::Reply(id, reply) | Output::LastReply(id, reply) => (id, reply),
                Output::Close(_) => continue,
            };
            let name = match reply {
                Reply::RegisterBetOk => "stored",
                Reply::RegisterBetFailed(_) => "failed",
                Reply::Welcome(_) => "welcome",
                Reply::StatusReport(_) => "status",
                Reply::InformWinners(documents) => {
                    assert!(self.model.agencies.iter().all(|agency| agency.closed));
                    let agency = self.model.connection(id).agency.unwrap();
                    assert_eq!(documents, self.model.agency(agency).documents);
                    "winners"
                }
            };
            self.answered.entry(id).or_default().push(name);
        }
        for agency in [1, 2] {
            assert_eq!(
                self.lottery.disk.stored_by(agency),
                self.model.agency(agency).documents
            );
        }
        for (id, connection) in &self.model.connections {
            let answered = self.answered.get(id).map_or(&[][..], Vec::as_slice);
            if connection.is_cut {
                assert!(connection.answers.starts_with(answered), "{id:?}");
            } else {
                assert_eq!(answered, connection.answers, "{id:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_conversation_is_answered_in_order_and_stored_as_if_each_request_took_effect_at_once(
        steps in steps()
    ) {
        let mut comparison = Comparison::new();
        for step in steps {
            comparison.take(step);
        }
        comparison.end_turn();
    }
}
