// What a wrong clock does is seen elsewhere first: whoever looks for the reason finds it in the log.
#pragma once

namespace vigil::aggregator {

/// Says when the wall clock was set ahead of the one by which things get old (PatientClock), and when it no
/// longer is. One thread.
class ClockWatch {
 public:
  /// Once a second.
  void beat();

 private:
  bool is_ahead_ = false;  // as the log has it
};

}  // namespace vigil::aggregator
