use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use lull_node::Chat;
use lull_types::ChatEvent;
use serde::Serialize;

use crate::{
    chat::unfinished,
    error::ApiError,
    reply::{Chunk, Frame, Likely, Piece},
};

/// How long a stream may be silent before a comment shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The most events that are sent in one piece: what has come while the client was slow.
const BATCH_MAX: usize = 64;

/// The answer as server-sent events. The next one is made when the last one has been taken; dropping it cancels the
/// job.
pub(crate) fn body(chat: Chat, frame: Frame, include_usage: bool) -> Body {
    let events = Events { chat, frame, include_usage, opened: false, over: false };
    Body::from_stream(futures::stream::unfold(events, |mut events| async move {
        let bytes = events.next().await?;
        Some((Ok::<_, Infallible>(bytes), events))
    }))
}

struct Events {
    chat: Chat,
    frame: Frame,
    include_usage: bool,
    opened: bool,
    over: bool,
}

impl Events {
    async fn next(&mut self) -> Option<Bytes> {
        let mut text = String::new();
        if !self.opened {
            self.opened = true;
            self.chunk(&mut text, Piece::first());
        }
        while text.is_empty() && !self.over {
            match tokio::time::timeout(KEEP_ALIVE, self.chat.next()).await {
                Ok(event) => self.on(&mut text, event),
                Err(_) => text.push_str(": still at it\n\n"),
            }
        }
        for _ in 1..BATCH_MAX {
            match self.chat.0.try_recv() {
                Ok(event) if !self.over => self.on(&mut text, Some(event)),
                _ => break,
            }
        }
        (!text.is_empty()).then(|| text.into())
    }

    fn on(&mut self, text: &mut String, event: Option<ChatEvent>) {
        match event {
            Some(ChatEvent::Queued { .. } | ChatEvent::Started { .. }) => {}
            Some(ChatEvent::Token(token)) => {
                let likely = Likely::of(&token);
                if likely.is_some() || !token.text.is_empty() {
                    self.chunk(text, Piece::text(&token.text, likely));
                }
            }
            Some(ChatEvent::Tail { text: tail }) => {
                if !tail.is_empty() {
                    self.chunk(text, Piece::text(&tail, None));
                }
            }
            Some(ChatEvent::Done { finish, usage, .. }) => {
                self.chunk(text, Piece::last(finish));
                if self.include_usage {
                    data(text, &Chunk::new(&self.frame, None, Some(Some(usage))));
                }
                text.push_str("data: [DONE]\n\n");
                self.over = true;
            }
            Some(ChatEvent::Failed(fault)) => self.fail(text, fault.into()),
            None => self.fail(text, unfinished()),
        }
    }

    fn chunk(&self, text: &mut String, piece: Piece<'_>) {
        data(text, &Chunk::new(&self.frame, Some(piece), self.include_usage.then_some(None)));
    }

    /// An error in the middle ends the stream without its end mark.
    fn fail(&mut self, text: &mut String, error: ApiError) {
        text.push_str(&format!("data: {}\n\n", error.json()));
        self.over = true;
    }
}

fn data(text: &mut String, value: &impl Serialize) {
    // Only maps with strange keys cannot be written, and there are none.
    let json = serde_json::to_string(value).unwrap_or_default();
    text.push_str("data: ");
    text.push_str(&json);
    text.push_str("\n\n");
}

#[cfg(test)]
mod tests {
    use lull_types::{Answered, Code, Fault, JobId, ModelHash, NodeId};
    use tokio::sync::mpsc;

    use super::*;

    fn events() -> (mpsc::Sender<ChatEvent>, Events) {
        let (sender, receiver) = mpsc::channel(8);
        let by =
            Answered { node: NodeId([1; 16]), name: "a".into(), model: ModelHash([2; 32]), machine: String::new() };
        let frame = Frame::new(JobId([3; 16]), &by, "m".into(), 7);
        (sender, Events { chat: Chat(receiver), frame, include_usage: false, opened: false, over: false })
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_shows_that_it_lives() {
        let (sender, mut events) = events();
        assert!(events.next().await.unwrap().starts_with(b"data: {"));
        let before = tokio::time::Instant::now();
        for _ in 0..3 {
            assert_eq!(events.next().await.unwrap(), ": still at it\n\n");
        }
        assert_eq!(before.elapsed(), KEEP_ALIVE * 3);
        drop(sender);
        let last = String::from_utf8(events.next().await.unwrap().to_vec()).unwrap();
        assert!(last.contains("\"error\"") && last.contains("internal"), "{last}");
        assert_eq!(events.next().await, None);
    }

    #[tokio::test]
    async fn what_came_meanwhile_goes_out_at_once_and_nothing_after_the_end() {
        let (sender, mut events) = events();
        sender.send(ChatEvent::Tail { text: "a".into() }).await.unwrap();
        sender.send(ChatEvent::Failed(Fault::new(Code::LenderLost, "gone"))).await.unwrap();
        sender.send(ChatEvent::Tail { text: "b".into() }).await.unwrap();
        let sent = String::from_utf8(events.next().await.unwrap().to_vec()).unwrap();
        assert_eq!(sent.matches("data: ").count(), 3, "{sent}");
        assert!(sent.contains("lender_lost") && !sent.contains("\"b\""), "{sent}");
        assert_eq!(events.next().await, None);
    }
}
