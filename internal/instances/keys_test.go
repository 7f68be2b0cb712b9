package instances

import "testing"

// Instances of two versions find what the other has written: see docs/compatibility.md.
func TestKeys(t *testing.T) {
	for kind, want := range map[Kind]string{
		kindSession:  "session:jYuzNYVrI5-qW3ASlT36NtHjd4h00VpV",
		kindLock:     "lock:RqtSqZri04X7EIEVVn3F5jRU1qXAV3er",
		kindUser:     "user:gwjRkaV1hmagOMYf86l3Gydqt-Flal6B",
		kindSID:      "sid:dauiaNhL4e3dSSQSemDqwVrbq-YdxUFG",
		kindAlive:    "alive:R_xuf9vp9XDqdRSp1540yh9vv1XReNnL",
		kindReplaced: "replaced:Zy6XvDeSh1qx3_F-IVLC1X83QcjUj966",
		KindState:    "state:TnURUyO-lr0vlhAQBfklK6C2cI90Hvz3",
		KindJTI:      "jti:kG-_iFMgfb1RVwVq2zltzEVfVC_fFNs7",
		KindStored:   "stored:hoeBxpbBr5scqT1s8j4jAn-K3EYUZdsx",
		KindResource: "resource:U6-3-uCLRmwVm7WChTf1Hmc1ouMi70SO",
	} {
		if got := Key(kind, "name"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
