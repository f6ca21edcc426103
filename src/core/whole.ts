/** Has everything of the core at hand at once: for the master, and for tests. */
import * as extra from './extra.ts';
import { onRare } from './rare.ts';

onRare(() => extra);
