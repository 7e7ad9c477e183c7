CREATE TABLE `pending_captions` (
	`segment_id` text PRIMARY KEY NOT NULL,
	`room` text NOT NULL,
	`user_id` integer NOT NULL,
	`user_name` text NOT NULL,
	`text` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `revisions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`transcription_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`at` integer NOT NULL,
	`what` text NOT NULL,
	`segment_id` text,
	`text` text,
	FOREIGN KEY (`transcription_id`) REFERENCES `transcriptions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `revisions_order` ON `revisions` (`transcription_id`);--> statement-breakpoint
CREATE TABLE `search_progress` (
	`form` integer PRIMARY KEY NOT NULL,
	`segment_id` integer
);
--> statement-breakpoint
CREATE TABLE `speech_sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`transcription_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`user_name` text NOT NULL,
	`holder` text NOT NULL,
	`generation` integer DEFAULT 1 NOT NULL,
	`wishes` text NOT NULL,
	`settled_bytes` integer DEFAULT 0 NOT NULL,
	`settled_ms` integer DEFAULT 0 NOT NULL,
	`seq` integer DEFAULT 0 NOT NULL,
	`touched_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`failures` integer DEFAULT 0 NOT NULL,
	FOREIGN KEY (`transcription_id`) REFERENCES `transcriptions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `speech_sessions_age` ON `speech_sessions` (`expires_at`);--> statement-breakpoint
ALTER TABLE `segments` ADD `recognised_text` text;--> statement-breakpoint
ALTER TABLE `segments` ADD `processed_seq` integer;--> statement-breakpoint
CREATE INDEX `segments_order` ON `segments` (`transcription_id`);
--> statement-breakpoint
-- The rest is written by hand. What was saved as text becomes a segment like those that were spoken.
INSERT INTO `segments` (`transcription_id`, `segment_id`, `seq`, `text`, `processed_text`, `word_count`, `language`, `start_ms`, `end_ms`, `words`)
SELECT `id`, 't' || `id` || '-1', 1, `transcription`, `processed_text`, `word_count`, `language`, 0, 0, '[]'
FROM `transcriptions`
WHERE `session_id` IS NULL AND NOT EXISTS (SELECT 1 FROM `segments` WHERE `segments`.`transcription_id` = `transcriptions`.`id`);
--> statement-breakpoint
-- Words come in already normalised and parted by spaces, so the tokenizer that changes nothing is
-- the right one. Beginnings of two to four characters have lists of their own; longer ones are rare
-- enough to be gathered while searching.
CREATE VIRTUAL TABLE `segment_search` USING fts5(`words`, `processed`, `facets`, content='', contentless_delete=1, tokenize='ascii', prefix='2 3 4');
--> statement-breakpoint
-- What is there already is indexed by the program, which alone knows the words' normal form.
INSERT INTO `search_progress` (`form`, `segment_id`) VALUES (1, 0);
