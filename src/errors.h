/*
 * What the errors of the few system calls that can fail us mean. Not by
 * strerror(3), whose table of all errors is a fourteenth of our file in musl.
 */
#ifndef ERRORS_H
#define ERRORS_H

/*
 * For an errno: "Permission denied"; "error 999" for one that is not here,
 * which stays until the next such call.
 */
const char *errors_text(int error);

#endif
