//! `shakedown serve`, as a browser and as a stranger meet it.

mod browser;
mod chromium;
mod http;
mod site;
