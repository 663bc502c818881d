/* Out-of-memory kills, as our memory cgroup counts them (cgroups(7)). */
#ifndef OOM_H
#define OOM_H

enum {
	OOM_UNKNOWN = -1,
};

/* The OOM kills in our memory cgroup so far, or OOM_UNKNOWN. */
int oom_kills(void);

/*
 * The OOM kills since a moment: kills, the count at that moment, may be
 * OOM_UNKNOWN, and the result too.
 */
int oom_kills_since(int kills);

#endif
