//! The example bot as a program: settings from the environment, calls for ever.

use std::env::var;
use std::error::Error;
use std::fs::read;
use std::path::Path;
use std::sync::Arc;

use ringback_example_bot::{Bot, Config, Prompts};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let setting = |name: &str| var(name).map_err(|_| format!("set {name}; examples/rust/README.md lists all settings"));
    let folder = setting("BOT_PROMPTS")?;
    let prompt = |name: &str| read(Path::new(&folder).join(name)).map_err(|error| format!("{name}: {error}"));
    let url = var("RINGBACK_URL").unwrap_or_else(|_| "http://127.0.0.1:8480".into());
    let config = Config {
        graph: ringback_client::Config::new(
            url,
            setting("RINGBACK_TENANT")?,
            setting("RINGBACK_APP_ID")?,
            setting("RINGBACK_APP_SECRET")?,
        ),
        listen: var("BOT_LISTEN").unwrap_or_else(|_| "127.0.0.1:3978".into()).parse()?,
        public_url: var("BOT_PUBLIC_URL").ok(),
        prompts: Prompts {
            welcome: prompt("welcome.wav")?,
            chosen: prompt("chosen.wav")?,
            goodbye: prompt("goodbye.wav")?,
        },
    };
    let bot = Arc::new(Bot::start(config).await?);
    eprintln!("webhook: {}", bot.webhook());
    while let Some(call) = bot.incoming().await {
        let bot = bot.clone();
        tokio::spawn(async move {
            match bot.serve(&call).await {
                Ok(report) => println!("{report:#?}"),
                Err(error) => {
                    eprintln!("call {}: {error}", call.id());
                    let _ = call.hang_up().await; // in case it is still up
                }
            }
        });
    }
    Ok(())
}
