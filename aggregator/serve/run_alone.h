// Calls that take long and answer with many messages: one at a time, on a thread of their own.
#pragma once

#include "aggregator/serve/message_stream.h"
#include "aggregator/serve/unary.h"
#include "common/threads/worker.h"

#include <atomic>
#include <utility>

namespace vigil::aggregator {

/// Runs `work(stream)`, which gives Result<void>, on a thread that does one such thing at a time, and ends
/// the call.
template <class Message, class Work>
MessageStream<Message>* run_alone(Worker& worker, std::atomic<bool>& busy, Work work) {
  auto* stream = new MessageStream<Message>();  // gRPC's from here on
  if (busy.exchange(true)) {
    stream->end(to_grpc(fail(Errc::conflict, "another one is under way: wait for its end")));
    return stream;
  }
  const bool posted = worker.post([stream, &busy, work = std::move(work)] {
    const Result<void> done = work(*stream);
    busy = false;  // before the client can know: it may come back at once
    stream->end(done ? grpc::Status::OK : to_grpc(done.error()));
  });
  if (posted) return stream;
  busy = false;
  stream->end(to_grpc(fail(Errc::unavailable, "the aggregator stops")));
  return stream;
}

}  // namespace vigil::aggregator
