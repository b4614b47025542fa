"""Verdicts: what a model's scores mean (CALIBRATION), and descriptions judged by them, one photo or a table."""

from lift.verifying.calibrating import CalibrateConfig, calibrate
from lift.verifying.checking import Checked, verify_table
from lift.verifying.folder import Calibration
from lift.verifying.judging import VerifyConfig, verify
from lift.verifying.verifier import Verdict, Verifier

__all__ = [
    "CalibrateConfig",
    "Calibration",
    "Checked",
    "Verdict",
    "Verifier",
    "VerifyConfig",
    "calibrate",
    "verify",
    "verify_table",
]
