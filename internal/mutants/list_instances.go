package main

// instanceMutants break what instances agree on.
var instanceMutants = []mutant{
	{
		name: "requests wait for a Coordinator that hangs", file: "internal/instances/engine.go",
		old: "	case <-time.After(probeWait):\n", new: "	case <-time.After(callTimeout):\n",
		packages: ". ./internal/instances", tests: "TestEngineThatHangs|TestCoordinatorSlow",
	},
	{
		name: "a probe that Close ends counts", file: "internal/instances/engine.go",
		old: "	if !errors.Is(ctx.Err(), context.Canceled) {\n", new: "	if true {\n",
		packages: "./internal/instances", tests: "TestEngineProbeEndsWithClose",
	},
	{
		name: "instances refresh without a lock", file: "internal/instances/turn.go",
		old: "		case held:\n", new: "		case held || len(lock) > 0 && lock[0] == ownerTag:\n",
		packages: ". ./internal/instances", tests: "TestCoordinatorOneRefresh|TestTurnIsRenewed",
	},
	{
		name: "instances do not look after they have the lock", file: "internal/instances/turn.go",
		old: "case err != nil || latest.Generation() > t.old.Generation():", new: "case err != nil:",
		packages: ". ./internal/instances", tests: "TestCoordinatorOneRefresh|TestTurnIsRenewed",
	},
	{
		name: "a lock is not renewed", file: "internal/instances/turn.go",
		old: "	s.workers.run(t.renew)\n", new: "",
		packages: ". ./internal/instances", tests: "TestCoordinatorSlowProvider|TestTurnIsRenewed",
	},
	{
		name: "a lock never ends by itself", file: "internal/instances/turn.go",
		old: "lease = 10 * time.Second", new: "lease = 10 * time.Hour",
		packages: "./internal/instances", tests: "TestTurnAfterDeath",
	},
	{
		name: "an instance that was held up sends all the same", file: "internal/instances/turn.go",
		old: "	return ErrNotOurTurn\n}", new: "	return nil\n}",
		packages: ". ./internal/instances", tests: "TestCoordinatorHeldUp|TestTurnAfterDeath",
	},
	{
		name: "a refusal is believed at once", file: "internal/instances/outcome.go",
		old: "	defer t.end(ctx)\n	if t.stop != nil {", new: "	defer t.end(ctx)\n	if false {",
		packages: "./internal/instances", tests: "TestTurnLostLock|TestTurnRefused",
	},
	{
		name: "a refusal ends a session that is over", file: "internal/instances/outcome.go",
		old: "	if t.s.Grants.Ended(t.old) {\n		return", new: "	if false {\n		return",
		packages: ".", tests: "TestLateRefusalLeavesTheNextSession",
	},
	{
		name: "the end of a lineage is not heard of by what was known before", file: "callback.go",
		old: "		m.sessions.Grants.Follows(rec)\n", new: "",
		packages: ".", tests: "TestCoordinatorEndsWhatReplacedASession",
	},
	{
		name: "an earlier sign-out everywhere is written over a later one", file: "internal/instances/end.go",
		old: "		isLate = true\n", new: "",
		packages: ".", tests: "TestSignOutsAtTwoInstancesDuringAnOutage",
	},
	{
		name: "a mark that is about to be replaced hides the end of a session", file: "internal/memory/grants.go",
		old: "!g.ended.marks[OfUser].agreed && hasEnded(&g.ended, rec)", new: "hasEnded(&g.ended, rec)",
		packages: ".", tests: "TestCoordinatorLearnsOfASignOutAndTheSession",
	},
	{
		name: "an unreachable Coordinator leaves a logout to older marks", file: "internal/active/sessions.go",
		old: "		over = s.Grants.HasEnded\n", new: "",
		packages: ".", tests: "TestCoordinatorLearnsOfASignOutAndTheSession",
	},
	{
		name: "a refusal ends the session here alone", file: "internal/instances/outcome.go",
		old: "		t.s.endKey(ctx, t.old.SessionID(), endAloneValue, time.Until(t.old.Begun().Add(t.s.lifetime)))\n", new: "		_ = ctx\n",
		packages: ". ./internal/instances", tests: "TestCoordinatorEnds|TestTurnRefused",
	},
	{
		name: "a refusal ends the lineage", file: "internal/instances/outcome.go",
		old: "endKey(ctx, t.old.SessionID(), endAloneValue, time", new: "endKey(ctx, t.old.SessionID(), endValue, time",
		packages: "./internal/instances", tests: "TestRefusalSparesLineage",
	},
	{
		name: "a session that ends during its refresh goes on", file: "internal/instances/outcome.go",
		old: "if t.stop != nil && !t.s.known.has(fresh.SessionID(), time.Now()) {", new: "if false {",
		tests: "TestCoordinatorEndDuringRefresh",
	},
	{
		name: "each instance tries again when the provider fails", file: "internal/instances/outcome.go",
		old: "	t.s.engine.swap(ctx, t.key, t.owner, value, pause, false)\n", new: "	_, _ = value, pause\n	t.release(ctx)\n",
		packages: ". ./internal/instances", tests: "TestCoordinatorSharedBackOff|TestTurnPauses",
	},
	{
		name: "a refreshed token that was not taken is lost", file: "internal/instances/outcome.go",
		old: "		_, ended, err := t.write(ctx, key, value, fresh)\n		if err != nil {\n			return err\n		}\n", new: "		ended := false\n",
		tests: "TestCoordinatorAwayAfterTheRefresh",
	},
	{
		name: "other instances are not told", file: "internal/instances/end.go",
		old: "s.engine.swap(ctx, key, values[0], value, ttl, true)", new: "s.engine.swap(ctx, key, values[0], value, ttl, false)",
		tests: "TestCoordinatorEnds",
	},
	{
		name: "a logout ends the session here alone", file: "internal/instances/end.go",
		old: "	s.endKey(ctx, rec.SessionID(), endValue, rec.Begun().Add(s.lifetime).Sub(now))\n", new: "",
		tests: "TestCoordinatorEnds",
	},
	{
		name: "what was not taken is not tried again", file: "internal/instances/end.go",
		old: "	if end(ctx) != nil {\n", new: "	if end(ctx) != nil && false {\n",
		packages: ". ./internal/instances", tests: "TestCoordinatorEndsWhatCannotBeTold|TestTurnEndedWhileAway",
	},
	{
		name: "a session begins without its user's mark", file: "internal/instances/end.go",
		old: "func(complete bool) { s.learnMarks(rec, values, complete, now) }", new: "func(bool) { _ = values }",
		tests: "TestCoordinatorEnds",
	},
	{
		name: "a sign-out everywhere is not looked for", file: "internal/instances/sessions.go",
		old: "		s.learnMarks(rec, values[1:], complete, now)\n", new: "		_ = complete\n",
		tests: "TestCoordinatorEnds",
	},
	{
		name: "an older mark hides the newer tokens of a session", file: "internal/instances/sessions.go",
		old: "		learnSession() // which an older mark would say is over\n	})\n	if !learned {\n", new: "	})\n	if s.Grants.Ended(rec) || !learned {\n",
		tests: "TestCoordinatorLearnsOfASignOutAndTheSession",
	},
	{
		name: "an end is not looked for", file: "internal/instances/sessions.go",
		old: "	case isEndOfAll(lineageEnd):\n", new: "	case false && isEndOfAll(lineageEnd):\n",
		tests: "TestCoordinatorEndsReplacedSessions",
	},
	{
		name: "what has changed stays known", file: "internal/instances/known.go",
		old: "	for _, id := range k.by[key] {\n		delete(k.of, id)\n	}\n", new: "",
		packages: ". ./internal/instances", tests: "TestCoordinatorEnds|TestKnown",
	},
	{
		name: "a session stays known without a watch", file: "internal/instances/known.go",
		old: "	k.hearing, k.complete = yes, false\n	k.forget()\n", new: "	k.hearing, k.complete = yes, false\n",
		packages: "./internal/instances", tests: "TestKnown",
	},
	{
		name: "a session is known for ever", file: "internal/instances/known.go",
		old: "e.sure && now.Sub(e.since) < knownFor", new: "e.sure",
		packages: "./internal/instances", tests: "TestKnown",
	},
	{
		name: "a session is served without the Coordinator after it has changed", file: "internal/instances/sessions.go",
		old: "if s.known.isStale(keysOf(rec)) || !s.mayServe(rec, now) {", new: "if !s.mayServe(rec, now) {",
		tests: "TestCoordinatorAway",
	},
	{
		name: "a session is served without the Coordinator for ever", file: "internal/instances/sessions.go",
		old: "	return now.Before(expiry)\n", new: "	return true\n",
		tests: "TestCoordinatorAway",
	},
	{
		name: "a token without an expiry vouches for ever", file: "internal/instances/sessions.go",
		old: "now.Sub(s.engine.lastHeard(now)) < unheardFor", new: "true",
		tests: "TestCoordinatorAwayWithoutExpiry",
	},
	{
		name: "ended sessions are forgotten with the engine", file: "internal/instances/watch.go",
		old: "	for end := range s.Grants.AllEnded(now) {", new: "	for end := range s.Grants.AllEnded(now.AddDate(1, 0, 0)) {",
		tests: "TestCoordinatorRestartsEmpty",
	},
	{
		name: "sign-outs everywhere are forgotten with the engine", file: "internal/instances/watch.go",
		old: "	for _, m := range s.Grants.AllMarks(now) {", new: "	for _, m := range s.Grants.AllMarks(now)[:0] {",
		tests: "TestCoordinatorRestartsEmpty",
	},
	{
		name: "each request waits for an engine that hangs", file: "internal/instances/engine.go",
		old: "	probe := failing && !e.probing && !time.Now().Before(e.retryAt)\n", new: "	probe := failing\n",
		packages: ". ./internal/instances", tests: "TestCoordinatorSlow|TestEngineThatHangs",
	},
	{
		name: "records are not sealed for the Coordinator", file: "internal/active/open.go",
		old: "	return s.shared.Seal(key, s.bindings.Complete(rec).Pack(time.Now()))\n", new: "	return string(s.bindings.Complete(rec).Pack(time.Now())), nil\n",
		tests: "TestCoordinatorSeesNoSecrets|TestCoordinatorOneRefresh",
	},
	{
		name: "a value that was moved to another key opens", file: "internal/vault/engine.go",
		old: "	value, err := v.sealer.Seal(key, []byte(sealed))", new: "	value, err := v.sealer.Seal(\"\", []byte(sealed))",
		tests: "TestNewStoreMovedValue",
	},
	{
		name: "keys give names away", file: "internal/instances/keys.go",
		old: "base64.RawURLEncoding.EncodeToString(sum[:24])", new: "name + base64.RawURLEncoding.EncodeToString(sum[:1])",
		tests: "TestCoordinatorSeesNoSecrets",
	},
	{
		name: "a code goes out at every instance", file: "internal/flow/flows.go",
		old: "	return first || err != nil //", new: "	return true || first || err != nil //",
		tests: "TestCoordinatorCallbackOnce",
	},
	{
		name: "a logout token counts at every instance", file: "backchannel.go",
		old: "		case used != nil || ", new: "		case false && used != nil || ",
		tests: "TestCoordinatorBackChannelLogout",
	},
	{
		name: "a save creates a stored session again", file: "internal/vault/engine.go",
		old: "		if old == nil {\n			return instances.ErrEnded\n		}\n", new: "",
		tests: "TestNewStoreGoneDuringSave",
	},
	{
		name: "cannot say becomes signed out", file: "require_auth.go",
		old: "case errors.Is(err, instances.ErrAway) && !s.current()", new: "case errors.Is(err, instances.ErrAway) && false && !s.current()",
		tests: "TestCoordinatorFailsAtRefresh",
	},
	{
		name: "Close does not wait for refreshes", file: "middleware.go",
		old: "errors.Join(m.refreshes.Idle(ctx), m.resources.Idle(ctx))", new: "m.resources.Idle(ctx)",
		tests: "TestClose",
	},
}
