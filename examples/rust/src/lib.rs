//! An example bot.
