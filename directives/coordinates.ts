// Names of places in a schema. All of them are strings at run time; brands keep them apart.

declare const brand: unique symbol
export type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** The name of a GraphQL object type with `@record`. */
export type TypeName = Branded<string, 'TypeName'>
/** `Patient.birthDate`, `Patient.address.city`: the path of a field in the schema, never a response key (P4). */
export type SchemaPath = Branded<string, 'SchemaPath'>
/** `Patient.birthDate`, `Address.city`: a type and one of its fields. */
export type Coordinate = Branded<string, 'Coordinate'>
