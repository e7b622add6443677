"""Does telemetry arrive, and is it what it should be: the command `doctor`.

One span, one metric and one error are sent as the application would send them, and each is looked for where it should
end; then versions, settings, clocks, series and the share of traces are compared with what they should be. What does
not work is named, with what to do.
"""

from telemetry.doctor.examination import Doctor
from telemetry.doctor.sending import DoctorError

__all__ = ["Doctor", "DoctorError"]
