/* What layers.c and overlay.c share. */
#ifndef CASEMATE_SANDBOX_LAYERS_H
#define CASEMATE_SANDBOX_LAYERS_H

#include "internal.h"

/* A layer: where the engine has it, and the same through an idmapped mount. */
struct layer {
	const char *path; /* as the host knows it, without symlinks */
	int there, fd;
	bool in_common; /* seen through the mount of the common folder */
};

struct layers {
	struct setup *s;
	struct arena *a;
	struct {
		struct layer *v;
		size_t n, cap;
	} lower; /* the topmost first */
	struct layer upper, work;
	bool has_mounts;     /* a layer is one; perhaps a later one than the engine's overlay */
	bool writable;	     /* the upper layer is the engine's */
	unsigned long flags; /* ST_x of the engine's mount */
	struct strv kept;    /* options of the engine's that the new overlay gets, too */
	const char *common;  /* the folder that all layers are in */
	int tree;	     /* that folder, idmapped */
	int memory;	     /* tmpfs with the upper layer of a read-only root */
	struct strv texts;   /* the lower layers as they are written in the options */
	const char *upper_text, *work_text;
};

/* A new detached overlay of the layers, writable, with what the engine's mount
 * forbids. -1 with error. */
int overlay_make(struct layers *y);

#endif
