#include "tests/support/fake_aggregator.h"

#include "vigil/v1/ingest.grpc.pb.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>

namespace vigil::test {

class FakeAggregator::Service final : public v1::Ingest::Service {
 public:
  Service(Script script, int port) : script_(std::move(script)) {
    grpc::ServerBuilder builder;
    const std::string wish = "127.0.0.1:" + std::to_string(port);
    builder.AddListeningPort(wish, grpc::InsecureServerCredentials(), &port_);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) std::abort();  // a test without a port cannot go on
  }
  ~Service() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status Stream(grpc::ServerContext*,
                      grpc::ServerReaderWriter<v1::AggregatorMessage, v1::AgentMessage>* stream) override {
    const int connection = ++connections_;
    v1::AgentMessage message;
    while (stream->Read(&message)) {
      Reply reply;
      {
        const std::lock_guard lock(mutex_);
        reply = script_(connection, message);
      }
      for (const v1::AggregatorMessage& answer : reply.answers) stream->Write(answer);
      if (reply.close) break;
    }
    return grpc::Status::OK;
  }

  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  const Script script_;
  std::mutex mutex_;  // one call of the script at a time
  std::atomic<int> connections_{0};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

FakeAggregator::FakeAggregator(Script script, int port)
    : service_(std::make_unique<Service>(std::move(script), port)) {}

FakeAggregator::~FakeAggregator() = default;

std::string FakeAggregator::address() const {
  return "127.0.0.1:" + std::to_string(port());
}
int FakeAggregator::port() const {
  return service_->port();
}
int FakeAggregator::connections() const {
  return service_->connections();
}

FakeAggregator::Script acknowledge_all() {
  return [](int, const v1::AgentMessage& message) {
    Reply reply;
    if (message.has_hello()) {
      v1::Welcome& welcome = *reply.answers.emplace_back().mutable_welcome();
      welcome.set_wall_time_ms(message.hello().wall_time_ms());
    } else if (message.has_batch()) {
      reply.answers.emplace_back().mutable_ack()->set_durable_seq(message.batch().seq());
    }
    return reply;
  };
}

}  // namespace vigil::test
