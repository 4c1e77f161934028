/** The line of `phi operations` in the list of commands. */
export const OPERATIONS_DESCRIPTION = 'manage the operations and contracts of clients'
