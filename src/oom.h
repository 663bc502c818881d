/* Out-of-memory kills, as our memory cgroup counts them (cgroups(7)). */
#ifndef OOM_H
#define OOM_H

enum {
	OOM_UNKNOWN = -1,
};

/* The OOM kills in our memory cgroup so far, or OOM_UNKNOWN. */
int oom_kills(void);

/*
 * The OOM kills since oom_kills returned `kills`. OOM_UNKNOWN if one of the two
 * counts is that.
 */
int oom_kills_since(int kills);

#endif
