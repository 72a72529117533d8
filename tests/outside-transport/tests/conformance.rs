//! The outside transport passes the suite that Flare's own transports pass.

use std::sync::Arc;

use flare_testkit::conformance::transport::Make;
use outside_transport::{Clients, OneThread};

flare_testkit::transport_conforms! { |test: fn(Make<'_>)| {
    test(&|setup| {
        let (roster, unit) = (setup.roster, setup.unit);
        let (states, reply_out) = (setup.states, setup.reply_out);
        Arc::new(OneThread::new(Clients { roster, unit, states, reply_out }))
    });
} }
