package main

// coordinatorMutants break the Coordinator in memory, and so show that
// oauthlogintest.CheckCoordinator notices what an implementation does wrong. The last ones break
// what is done while a Coordinator is away.
var coordinatorMutants = []mutant{
	{
		name: "a Coordinator swaps whatever the old value is", file: "oauthlogintest/coordinator.go",
		old: "if !bytes.Equal(c.value(key), old) {", new: "if old != nil && c.value(key) == nil {",
		packages: "./oauthlogintest", tests: "TestCoordinator",
	},
	{
		name: "a Coordinator keeps keys for ever", file: "oauthlogintest/coordinator.go",
		old: "if ok && !time.Now().Before(held.expires) {", new: "if ok && time.Now().IsZero() {",
		packages: "./oauthlogintest", tests: "TestCoordinatorInBubble",
	},
	{
		name: "a Coordinator does not renew the ttl", file: "oauthlogintest/coordinator.go",
		old: "entry{bytes.Clone(new), time.Now().Add(ttl)}", new: "entry{bytes.Clone(new), map[bool]time.Time{true: time.Now().Add(ttl), false: c.entries[key].expires}[old == nil]}",
		packages: "./oauthlogintest", tests: "TestCoordinator",
	},
	{
		name: "a Coordinator shares its memory", file: "oauthlogintest/coordinator.go",
		old: "values[i] = bytes.Clone(c.value(key))", new: "values[i] = c.value(key)",
		packages: "./oauthlogintest", tests: "TestCoordinator",
	},
	{
		name: "a Coordinator tells of every swap", file: "oauthlogintest/coordinator.go",
		old: "	if tell {\n", new: "	if tell || true {\n",
		packages: "./oauthlogintest", tests: "TestCoordinator",
	},
	{
		name: "a Coordinator does not tell of a deletion", file: "oauthlogintest/coordinator.go",
		old: "	if tell {\n", new: "	if tell && new != nil {\n",
		packages: "./oauthlogintest", tests: "TestCoordinator",
	},
	{
		name: "a Coordinator tells one watcher", file: "oauthlogintest/coordinator.go",
		old: "			w.pending = append(w.pending, key)\n			w.wake()\n", new: "			w.pending = append(w.pending, key)\n			w.wake()\n			break\n",
		packages: "./oauthlogintest", tests: "TestCoordinator",
	},
	{
		name: "a Coordinator tells the last change alone", file: "oauthlogintest/coordinator.go",
		old: "w.pending = append(w.pending, key)", new: "w.pending = []string{key}",
		packages: "./oauthlogintest", tests: "TestCoordinator",
	},
	{
		name: "a watch survives an outage", file: "oauthlogintest/coordinator.go",
		old: "		if lost {\n", new: "		if lost && keys != nil {\n",
		packages: "./oauthlogintest", tests: "TestCoordinatorOutage|TestCoordinatorRestart",
	},
	{
		name: "a lock that may have been taken is left to age", file: "internal/instances/turn.go",
		old: "				if err != ErrAway { // as it is when nothing was tried\n", new: "				if err == nil {\n",
		packages: "./internal/instances", tests: "TestTurnUnknownSwap",
	},
	{
		name: "a lock is left to age after a failed look", file: "internal/instances/turn.go",
		old: "} else if errors.Is(err, ErrAway) {\n", new: "} else if errors.Is(err, ErrNotOurTurn) {\n",
		packages: "./internal/instances", tests: "TestTurnWithoutALook",
	},
}
