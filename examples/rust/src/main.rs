//! The bot as a program: who it is from the environment, calls for ever.

use std::env::var;
use std::error::Error as StdError;
use std::sync::Arc;

use ringback_client::{Call, Config};
use ringback_example_bot::Bot;

type Error = Box<dyn StdError + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let who = |name: &str| var(name).map_err(|_| format!("set {name}"));
    let config = Config::microsoft(who("AZURE_TENANT_ID")?, who("AZURE_CLIENT_ID")?, who("AZURE_CLIENT_SECRET")?);
    let listen = var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3978".into()).parse()?;
    let prompts = [
        ("menu", include_bytes!("../../prompts/menu.wav").to_vec()),
        ("hours", include_bytes!("../../prompts/hours.wav").to_vec()),
        ("address", include_bytes!("../../prompts/address.wav").to_vec()),
        ("message", include_bytes!("../../prompts/message.wav").to_vec()),
        ("bye", include_bytes!("../../prompts/bye.wav").to_vec()),
    ];
    let bot = Arc::new(Bot::start(config, listen, var("BOT_URL").ok(), prompts).await?);
    println!("listening at {}", bot.webhook());
    while let Some(call) = bot.calls.incoming().await {
        tokio::spawn(serve(bot.clone(), call));
    }
    Ok(())
}

async fn serve(bot: Arc<Bot>, call: Call) {
    if let Err(error) = report(&bot, &call).await {
        eprintln!("call {}: {error}", call.id());
        let _ = call.hang_up().await; // refused if it has ended
    }
}

async fn report(bot: &Bot, call: &Call) -> Result<(), Error> {
    for (_, ended) in bot.serve(call).await?.operations {
        println!("{}: {} {:?}", ended.client_context.as_deref().unwrap_or_default(), ended.status, ended.result_info);
        if ended.recording_location.as_deref().is_some_and(|location| !location.is_empty()) {
            std::fs::write(format!("message-{}.wav", call.id()), call.recording(&ended).await?)?;
        }
    }
    Ok(())
}
