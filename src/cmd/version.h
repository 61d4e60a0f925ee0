/* What the build says of itself. */
#ifndef CASEMATE_VERSION_H
#define CASEMATE_VERSION_H

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1.0"
#endif
#ifndef GIT_COMMIT
#define GIT_COMMIT "unknown"
#endif

#endif
