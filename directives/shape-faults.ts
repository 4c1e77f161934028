/** The faults of a field that fits no class, each with what to write instead. */
export const SHAPE_FAULTS = {
  unclassified: ['The field is not classified.', '@phi(category: ...) with a grant, or @notPhi(because: "...").'],
  edgeInEmbedded: ['An embedded type holds an edge.', 'the edge on the record itself; embedded types hold values.'],
  phiShape: ['A @phi value is neither a scalar nor a composite.', 'a scalar, an enum, or an object type that is not a record.'],
  connectionOfOthers: ['A connection of a record leads to a type that is not a record.', '@record on the type of its nodes.'],
  connectionWithoutPhi: [
    'A connection edge has no @phi, but the number of its records is information too.',
    '@phi(category: ...) and at least one @minimumNecessary.',
  ],
  connectionNonNull: ['A connection edge is non-null, so a denial would null its record too.', 'the nullable type.'],
  listOfRecords: [
    'A list of records is neither an edge to one record nor a connection.',
    'a connection (edges, pageInfo) with @phi and a grant.',
  ],
  toOneMarked: ['An edge to one record carries @phi or @notPhi.', 'no directive, because the record at its end decides access.'],
  toOneNonNull: ['An edge to one record is non-null, so a denial would null its parent too.', 'the nullable type.'],
  nodeNonNull: ['A node is non-null, so a denial would null the page too.', 'the nullable type.'],
  plumbingMarked: ['@phi is on a field of the connection itself.', '@phi on the edge that returns the connection.'],
  rootMarked: ['@phi is on a root field.', '@phi on the fields of the record that the root field returns.'],
  rootNonNull: ['A root field that returns objects is non-null, so a denial would null the whole response.', 'the nullable type.'],
  rootBareValue: [
    'A root field returns a bare value, which no grant decides.',
    'a record that holds the value, or @notPhi(because: "...").',
  ],
  phiOutside: [
    '@phi is on a type that is not part of a record.',
    '@record on the type, or a field of a record that returns the type.',
  ],
  undecidedBelow: [
    'The field returns a type with fields that would not be decided.',
    'a record, a connection of records, or a type with only @notPhi fields.',
  ],
  embeddedList: [
    'The field is a list of an embedded type, so its leaves would have no path of their own.',
    '@phi on the list, which makes it one value, and no directives inside.',
  ],
  embeddedTwice: ['The embedded type already belongs to another place.', 'a separate type, so that each leaf has one path.'],
} as const satisfies Readonly<Record<string, readonly [problem: string, instead: string]>>
