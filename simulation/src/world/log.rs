//! What the central logs, and whether those that it closes have deserved it.

use std::net::IpAddr;
use std::time::Duration;

use server::testing::take_log;

use super::World;
use crate::central::Call;
use crate::promise::{Broken, expect};

/// How much longer than its time a stranger may stay: the central looks at it in its next turn.
const STRANGER_PATIENCE: Duration = Duration::from_secs(5);

/// The connection of an agency before a turn.
pub(super) struct Settled {
    agency: u32,
    call: Call,
    /// Whether the central has read all that the agency has said.
    is_heard: bool,
}

impl World {
    /// The connections of which the central knows whose they are, and which nobody has left or broken.
    pub(super) fn settled(&self) -> Vec<Settled> {
        let agencies = self.agencies.iter();
        let calls = agencies.filter_map(|it| Some((it.plan.number, it.call.as_ref()?)));
        let settled = calls.filter(|(_, call)| call.is_known && call.is_open());
        settled
            .map(|(agency, call)| Settled {
                agency,
                call: call.clone(),
                is_heard: call.peer.unread_bytes() == 0,
            })
            .collect()
    }

    /// Takes what the central logged in a turn before which these connections were open.
    pub(super) fn read_log(&mut self, settled: &[Settled]) -> Result<(), Broken> {
        let mut is_scarce = None;
        let mut taken_over = Vec::new();
        let mut idle: Vec<IpAddr> = Vec::new();
        for line in take_log() {
            let mut parts = line.split(" | ");
            let action = parts.next().unwrap_or_default();
            let mut value = |key: &str| parts.find_map(|part| part.strip_prefix(key));
            match action {
                "action: sorteo" => self.note_draw(),
                "action: takeover" => taken_over.extend(value("agencia: ").map(str::to_owned)),
                "action: max_memory" => {
                    self.statistics.add("memory exceeded");
                    is_scarce = Some("memory");
                }
                "action: max_connections" => {
                    self.statistics.add("connections all taken");
                    is_scarce = Some("connections");
                }
                "action: idle_timeout" => {
                    self.statistics.add("idle connections closed");
                    idle.extend(value("ip: ").and_then(|ip| ip.parse::<IpAddr>().ok()));
                }
                _ if line.contains("result: fail") => {}
                _ => continue,
            }
            self.tell(&format!("central logs: {line}"));
        }
        self.statistics.add_times("takeovers", taken_over.len());
        let timeout = self.plan.limits.idle_timeout.unwrap_or_default();
        for it in settled {
            let (agency, call) = (it.agency, &it.call);
            if !call.peer.is_closed() || taken_over.contains(&agency.to_string()) {
                continue;
            }
            let is_idle = idle.contains(&call.address);
            let silent = self.moment.now - call.said_at;
            // Once the draw was held, who waits has its answer, and may be slow to read it.
            let is_parked = call.is_waiting && self.draws_logged == 0;
            let was_active = it.is_heard && (is_parked || silent < timeout);
            let reason = match is_idle {
                true => was_active.then_some("idle"),
                false => is_scarce,
            };
            if let Some(reason) = reason {
                return Err(Broken(format!("agency {agency} was cut off: {reason}")));
            }
        }
        Ok(())
    }

    fn note_draw(&mut self) {
        self.statistics.add(match self.draws_logged {
            0 => "draws",
            _ => "draws logged again after a crash",
        });
        self.draws_logged += 1;
    }

    pub(super) fn expect_no_stranger_to_stay(&self) -> Result<(), Broken> {
        let Some(timeout) = self.plan.limits.idle_timeout else {
            return Ok(());
        };
        let borne = self.strangers.iter();
        let borne = borne.filter_map(|stranger| stranger.is_borne_for(self.moment.now));
        let longest = borne.max().unwrap_or_default();
        expect(longest <= timeout + STRANGER_PATIENCE, || {
            format!("a stranger holds a connection for {longest:?}")
        })
    }
}
