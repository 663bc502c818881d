/*
 * Texts of the errnos that our system calls can return. musl's strerror(3),
 * with its table of all errnos, is 2.3 KB: our program would exceed 40 KiB.
 */
#ifndef ERRORS_H
#define ERRORS_H

/*
 * The text of an errno: "Permission denied"; or "error 999" for one that is not
 * in the table, valid until the next call.
 */
const char *errors_text(int error);

#endif
