/*
 * Whose things are, seen from a user namespace: there the host's root is nobody,
 * as is everybody else who is not mapped. Everybody may call it.
 */
#ifndef CASEMATE_OWNER_H
#define CASEMATE_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>

/* Is this process in another user namespace than the host's? */
bool in_user_namespace(void);

/* Is the owner one whom this user namespace cannot name: the host's root, or any
 * other user of the host? */
bool owner_is_hidden(const struct stat *st);

#endif
