//! What is traced names nobody and gives nothing away.

use std::io;
use std::sync::{Arc, Mutex};

use ringback_signal::{Destination, Flow, QUIET_SIP_LIBRARY, Trunk};
use tracing_subscriber::EnvFilter;

use crate::world::{PASSWORD, World, soon};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_secrets_nor_numbers_are_traced() {
    let written = Written::default();
    let writer = written.clone();
    let filter = EnvFilter::new(format!("trace,{QUIET_SIP_LIBRARY}"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    subscriber.with_writer(move || writer.clone()).init();
    tracing::info!("the trace is read");

    let mut world = World::start().await;
    let phone = world.registered("rosalind").await;
    let wrong = world.phone_with("quentin", "wrong battery").await;
    soon(wrong.register()).await.unwrap_err();
    let calling = phone.clone();
    let call = tokio::spawn(async move { calling.call("+15550123").await });
    let leg = world.incoming().await;
    world.sip.accept(leg);
    let call = soon(call).await.unwrap().unwrap();
    world.answered(leg).await;
    soon(call.hang_up()).await;
    world.event_of(leg).await;
    world.sip.hang_up_after_restart("secret nonsense");
    let address = phone.local_addr();
    let leg = world
        .place(Destination::Trunk { trunk: Arc::new(Trunk::at("t", Flow::udp(address))), number: "+15550124".into() });
    soon(phone.ringing()).await.unwrap().decline(486);
    world.event_of(leg).await;

    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("the trace is read"));
    for secret in [PASSWORD, "wrong battery", "rosalind", "quentin", "5550123", "5550124", "nonce", "secret nonsense"] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}
