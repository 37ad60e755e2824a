use lull_relay::{Relay as RunningRelay, RelayOptions};

use crate::{
    args::{LogFormat, Relay},
    logs, output,
    output::Failure,
};

pub(crate) async fn run(command: Relay, log: Option<LogFormat>) -> Result<(), Failure> {
    match command {
        Relay::Init { dir, org, public } => {
            lull_relay::init(&dir, &org, &public)?;
            let dir = dir.display();
            output::line(&format!(
                "{org} is created in {dir}.\n  {dir}/root   creates tokens; the relay never needs it: keep it elsewhere\n  \
                 {dir}/relay  is what the relay runs from\nNodes will reach the relay at {public}. Next: lull relay run {dir}"
            ))
        }
        Relay::Run { dir, listen, admin } => {
            logs::start(log);
            let options = RelayOptions { listen, admin: Some(admin) };
            let relay = RunningRelay::start(&dir, options).await?;
            eprintln!("The relay listens on {} (UDP).", relay.addr());
            let admin = relay.admin_addr();
            eprintln!("Health and metrics: http://{admin}/healthz and http://{admin}/metrics");
            logs::asked_to_stop().await;
            relay.shutdown().await;
            Ok(())
        }
    }
}
