#include "aggregator/access/rpc_needs.h"

#include "vigil/v1/needs.pb.h"

#include <google/protobuf/descriptor.h>

#include <string>

namespace vigil::aggregator::access {
namespace {

constexpr std::string_view kHealth = "grpc.health.v1.Health/";
constexpr std::string_view kReflection = "grpc.reflection.v1alpha.ServerReflection/";
constexpr std::string_view kQueryService = "vigil.v1.Query";

std::optional<Need> need_from(v1::Needs needs, Area area) {
  switch (needs) {
    case v1::NEEDS_NOTHING:
      return kOpen;
    case v1::NEEDS_AGENT:
      return kAgent;
    case v1::NEEDS_VIEWER:
      return Need{Role::viewer, area};
    case v1::NEEDS_OPERATOR:
      return kOperator;
    case v1::NEEDS_ADMIN:
      return kAdmin;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Need> need_of(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  if (path.starts_with(kHealth)) return kOpen;  // as /healthz
  if (path.starts_with(kReflection)) return kViewer;
  const auto slash = path.find('/');
  if (slash == std::string_view::npos || !path.starts_with("vigil.")) return std::nullopt;
  std::string name(path);
  name[slash] = '.';
  const auto* method = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
  if (method == nullptr) return std::nullopt;
  const Area area = path.substr(0, slash) == kQueryService ? Area::query : Area::other;
  return need_from(method->options().GetExtension(v1::needs), area);
}

}  // namespace vigil::aggregator::access
