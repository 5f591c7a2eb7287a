//! Registration.

use ringback_signal::phone::PhoneError;

use crate::world::{World, soon};

#[tokio::test]
async fn a_phone_registers_refreshes_and_leaves() {
    let world = World::start().await;
    let phone = world.phone("1001").await;
    assert!(!world.sip.registered("1001"));
    assert_eq!(soon(phone.register()).await.unwrap().as_secs(), 120);
    assert!(world.sip.registered("1001"));
    soon(phone.register()).await.unwrap();
    soon(phone.unregister()).await.unwrap();
    assert!(!world.sip.registered("1001"));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let world = World::start().await;
    for (user, password) in [("1001", "wrong"), ("nobody", "correct horse")] {
        let phone = world.phone_with(user, password).await;
        let refused = soon(phone.register()).await;
        assert!(matches!(refused, Err(PhoneError::Refused(401))), "{refused:?}");
        assert!(!world.sip.registered(user));
    }
}
