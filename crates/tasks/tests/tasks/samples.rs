//! Small files of every task, in the official formats with their quirks.

use std::path::Path;

use gpt1_tasks::{Dataset, Split, Task, TaskError, read};

/// Path inside the data folder, content.
pub const FILES: &[(&str, &str)] = &[
    (
        "CoLA/train.tsv",
        "gj04\t1\t\tOur friends won't buy this.\ngj04\t0\t*\tThey \"drank the pub.\nbc01\t1\t\tBill's book.\n",
    ),
    // The official file ends without a line end.
    ("CoLA/dev.tsv", "gj04\t1\t\tThe sailors rode.\ngj04\t0\t*\tThe car honked its way."),
    ("CoLA/test.tsv", "index\tsentence\n0\tBill whistled past the house.\n1\tThe car honked.\n"),
    // A space ends every sentence.
    (
        "SST-2/train.tsv",
        "sentence\tlabel\nhide new secretions from the parental units \t0\ncontains no wit , \" only labored gags \t0\n",
    ),
    ("SST-2/dev.tsv", "sentence\tlabel\nit 's a charming and often affecting journey . \t1\n"),
    ("SST-2/test.tsv", "index\tsentence\n0\tuneasy mishmash of styles and genres .\n"),
    // A byte-order mark; quotation marks that are never closed.
    (
        "MRPC/train.tsv",
        "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t702876\t702977\tAmrozi accused his \" brother .\tReferring to him .\r\n0\t2108705\t2108831\tYucaipa owned .\t\" Yucaipa bought .\r\n",
    ),
    (
        "MRPC/dev.tsv",
        "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1355540\t1355592\tHe said .\t\" The pie .\n",
    ),
    (
        "MRPC/test.tsv",
        "\u{feff}index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1089874\t1089925\tPCCW 's chief .\tCurrent chief .\n",
    ),
    (
        "STS-B/train.tsv",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n0\tmain-captions\tMSRvid\t2012test\t0001\tnone\tnone\tA plane is taking off.\tAn air plane is taking off.\t5.000\n1\tmain-captions\tMSRvid\t2012test\t0004\tnone\tnone\tA man is playing a flute.\tA man is \"playing.\t3.8\n",
    ),
    (
        "STS-B/dev.tsv",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n0\tmain-captions\tMSRvid\t2012test\t0000\tnone\tnone\tA man dances.\tA man is dancing.\t0\n",
    ),
    (
        "STS-B/test.tsv",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\n0\tmain-captions\tMSRvid\t2012test\t0024\tnone\tnone\tA girl.\tA girl is.\n",
    ),
    // The second and third line are one row, broken by a line end inside a question.
    (
        "QQP/train.tsv",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n133273\t213221\t213222\tHow is the life of a math student?\tWhich level?\t0\n402555\t536040\t536041\tHow do I control my\nhorny emotions?\tHow do you?\t1\n\n360472\t364011\t490273\tWhat \"causes stool color?\tWhat can cause it?\t1\n",
    ),
    (
        "QQP/dev.tsv",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n201359\t303345\t303346\tWhy are Africans?\t\t0\n",
    ),
    ("QQP/test.tsv", "id\tquestion1\tquestion2\n0\tWould the idea?\tWhat does Trump?\n"),
    (
        "MNLI/train.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n0\t31193\t31193n\tgovernment\t( a )\t( b )\t(ROOT a)\t(ROOT b)\tConceptually cream skimming.\tProduct and \"geography.\tneutral\tneutral\n1\tbroken\n2\t101457\t101457e\ttelephone\t(\t(\t(\t(\tyou know\tYou lose.\tentailment\tentailment\n",
    ),
    (
        "MNLI/dev_matched.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n0\t63735\t63735n\tslate\t-\t-\t-\t-\tThe new rights.\tEveryone likes \tneutral\tentailment\tneutral\tneutral\tneutral\tneutral\n",
    ),
    (
        "MNLI/dev_mismatched.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n0\t75290\t75290c\tletters\t-\t-\t-\t-\tYour contribution.\tIt hurt.\tcontradiction\tcontradiction\tcontradiction\tcontradiction\tcontradiction\tcontradiction\n",
    ),
    (
        "MNLI/test_matched.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\n0\t31493\t31493\ttravel\t-\t-\t-\t-\tHierbas, ans seco.\tHierbas is a name.\n",
    ),
    (
        "MNLI/test_mismatched.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\n0\t16130\t16130\tface\t-\t-\t-\t-\tWhat have you decided?\tSo what's.\n",
    ),
    (
        "QNLI/train.tsv",
        "index\tquestion\tsentence\tlabel\n0\tWhen did it end?\tUnlike the two.\tnot_entailment\n1\tWho \"was?\tHe was.\tentailment\n",
    ),
    ("QNLI/dev.tsv", "index\tquestion\tsentence\tlabel\n0\tWhat came into force?\tAs of that day.\tentailment\n"),
    ("QNLI/test.tsv", "index\tquestion\tsentence\n0\tWhat organization?\tIn December.\n"),
    (
        "RTE/train.tsv",
        "index\tsentence1\tsentence2\tlabel\n0\tNo Weapons Found.\tWeapons Found.\tnot_entailment\n1\tA place of sorrow.\tPope \"Benedict.\tentailment\n",
    ),
    (
        "RTE/dev.tsv",
        "index\tsentence1\tsentence2\tlabel\n0\tDana Reeve has died.\tReeve had an accident.\tnot_entailment\n",
    ),
    ("RTE/test.tsv", "index\tsentence1\tsentence2\n0\tMangla was summoned.\tShukla is related.\n"),
    (
        "WNLI/train.tsv",
        "index\tsentence1\tsentence2\tlabel\n0\tI stuck a pin.\tThe carrot had a hole.\t1\n1\tJohn couldn't see.\tJohn is short.\t0\n",
    ),
    ("WNLI/dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tThe drain is clogged.\tThe hair.\t0\n"),
    ("WNLI/test.tsv", "index\tsentence1\tsentence2\n0\tMaude and Dora.\tHorses ran away.\n"),
    (
        "AX/AX.tsv",
        "index\tsentence1\tsentence2\n0\tThe cat sat on the \"mat.\tThe cat did not sit.\n1\tThe cat did not sit.\t\n",
    ),
    (
        "SNLI/snli_1.0_train.jsonl",
        "{\"annotator_labels\": [\"neutral\"], \"captionID\": \"3416050480.jpg#4\", \"gold_label\": \"neutral\", \"pairID\": \"3416050480.jpg#4r1n\", \"sentence1\": \"A person on a horse.\", \"sentence1_binary_parse\": \"( A )\", \"sentence1_parse\": \"(ROOT)\", \"sentence2\": \"A \\\"person is training.\", \"sentence2_parse\": \"(ROOT)\"}\n{\"annotator_labels\": [\"neutral\", \"entailment\"], \"gold_label\": \"-\", \"pairID\": \"1r1e\", \"sentence1\": \"Two\", \"sentence2\": \"n/a\"}\n{\"gold_label\": \"contradiction\", \"sentence1\": \"Children smiling.\", \"sentence2\": \"They frown.\"}\n",
    ),
    (
        "SNLI/snli_1.0_dev.jsonl",
        "{\"gold_label\": \"entailment\", \"pairID\": \"4705552913.jpg#2r1e\", \"sentence1\": \"Two women.\", \"sentence2\": \"Two.\"}\n",
    ),
    (
        "SNLI/snli_1.0_test.jsonl",
        "{\"gold_label\": \"entailment\", \"pairID\": \"2677109430.jpg#1r1n\", \"sentence1\": \"This church.\", \"sentence2\": \"It.\"}\n",
    ),
    (
        "SciTail/tsv_format/scitail_1.0_train.tsv",
        "Pluto \"rotates once.\tEarth rotates.\tneutral\nPoisons act.\tPoisons are.\tentails\n",
    ),
    ("SciTail/tsv_format/scitail_1.0_dev.tsv", "An introduction.\tReplace another.\tneutral\n"),
    (
        "SciTail/snli_format/scitail_1.0_test.txt",
        "{\"annotator_labels\":[\"entailment\"],\"gold_label\":\"entailment\",\"pairID\":\"P00_1\",\"captionID\":\"P00\",\"sentence1\":\"Based on the list.\",\"sentence1_parse\":\"(ROOT)\",\"sentence2\":\"If a substance.\"}\n{\"gold_label\":\"neutral\",\"sentence1\":\"a\",\"sentence2\":\"b\"}\n",
    ),
    (
        "StoryCloze/cloze_test_val__spring2016 - cloze_test_ALL_val.csv",
        "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,RandomFifthSentenceQuiz1,RandomFifthSentenceQuiz2,AnswerRightEnding\r\n138d5bfb,Rick grew up in a troubled household.,He never found good support.,It wasn't long before Rick was shot.,\"The incident \"\"caused\"\" him, to turn.\",He is happy now.,He joined a gang.,1\r\nbff9f820,Laverne needs a dish.,She bakes.,She lets them cool.,Laverne samples one.,She eats two.,She is sick.,1\r\ne8f628d5,Sarah had been dreaming.,She saved.,She went.,\"She could not\r\nwait.\",She was glad.,She hated it.,1\r\nf5226bfe,Gina was worried.,a,b,c,Gina was upset.,Gina was glad.,2\r\n69ac9b05,It was my final performance.,a,b,c,d,e,2\r\n",
    ),
    (
        "StoryCloze/cloze_test_test__spring2016 - cloze_test_ALL_test.csv",
        "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,RandomFifthSentenceQuiz1,RandomFifthSentenceQuiz2,AnswerRightEnding\nb929f263,My friends all love to go to the club.,a,b,c,d,e,2\n",
    ),
    (
        "RACE/train/middle/10.txt",
        "{\"answers\": [\"D\"], \"options\": [[\"a\", \"b\", \"c\", \"d\"]], \"questions\": [\"Who _ ?\"], \"article\": \"Ten.\", \"id\": \"middle10.txt\"}",
    ),
    (
        "RACE/train/middle/9.txt",
        "{\"answers\": [\"A\", \"C\"], \"options\": [[\"a\", \"b\", \"c\", \"d\"], [\"e\", \"f\", \"g\", \"h\"]], \"questions\": [\"What?\", \"Why?\"], \"article\": \"Nine \\n \\\"lives.\", \"id\": \"middle9.txt\"}",
    ),
    (
        "RACE/train/high/1.txt",
        "{\"answers\": [\"B\"], \"options\": [[\"a\", \"b\", \"c\", \"d\"]], \"questions\": [\"Where?\"], \"article\": \"One.\", \"id\": \"high1.txt\"}",
    ),
    (
        "RACE/dev/high/2.txt",
        "{\"answers\": [\"B\"], \"options\": [[\"a\", \"b\", \"c\", \"d\"]], \"questions\": [\"Where?\"], \"article\": \"Two.\", \"id\": \"high2.txt\"}",
    ),
    (
        "RACE/test/high/3.txt",
        "{\"answers\": [\"B\"], \"options\": [[\"a\", \"b\", \"c\", \"d\"]], \"questions\": [\"Where?\"], \"article\": \"Three.\", \"id\": \"high3.txt\"}",
    ),
];

/// The other official forms of some tasks: a folder with these has nothing of `FILES`.
pub const FORMS: &[(&str, &str)] = &[
    // Pairs of a single annotator end early in one distribution and in empty cells in another.
    (
        "SNLI/snli_1.0_train.txt",
        "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tcaptionID\tpairID\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\nneutral\t( This )\t( The )\t(ROOT This)\t(ROOT The)\tThis \"church choir.\tThe church has cracks.\t2677109430.jpg#1\t2677109430.jpg#1r1n\tneutral\tcontradiction\tcontradiction\tneutral\tneutral\n-\t( A )\t( B )\t(A)\t(B)\tTwo.\tn/a\t2.jpg#1\t2.jpg#1r1e\tneutral\tentailment\t\t\t\ncontradiction\t( A )\t( B )\t(A)\t(B)\tA choir.\tA baseball game.\t3.jpg#1\t3.jpg#1r1c\tcontradiction\t\t\t\t\nentailment\t( A )\t( B )\t(A)\t(B)\tA woman.\tA person.\t4.jpg#1\t4.jpg#1r1e\tentailment\n",
    ),
    (
        "MNLI/multinli_1.0_train.jsonl",
        "{\"annotator_labels\": [\"neutral\"], \"genre\": \"government\", \"gold_label\": \"neutral\", \"pairID\": \"31193n\", \"promptID\": \"31193\", \"sentence1\": \"Conceptually \\\"cream skimming.\", \"sentence1_binary_parse\": \"( )\", \"sentence1_parse\": \"(ROOT)\", \"sentence2\": \"Product and geography. \", \"sentence2_binary_parse\": \"( )\", \"sentence2_parse\": \"(ROOT)\" }\n{\"gold_label\": \"-\", \"pairID\": \"1e\", \"sentence1\": \"a\", \"sentence2\": \"b\"}\n",
    ),
    (
        "MNLI/multinli_1.0_dev_matched.txt",
        "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tpromptID\tpairID\tgenre\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\nneutral\t( )\t( )\t(ROOT)\t(ROOT)\tThe new rights.\tEveryone \"likes.\t63735\t63735n\tslate\tneutral\tentailment\tneutral\tneutral\tneutral\n-\t( )\t( )\t(ROOT)\t(ROOT)\tThis site.\tThe site.\t91383\t91383c\tgovernment\tcontradiction\tneutral\tentailment\tneutral\tentailment\n",
    ),
    (
        "SciTail/predictor_format/scitail_1.0_structure_train.jsonl",
        "{\"question\":\"Which process changes liquid water into water vapor?\",\"gold_label\":\"entails\",\"sentence1\":\"Water droplets can be changed by \\\"evaporation .\",\"answer\":\"evaporation.\",\"sentence2\":\"Evaporation is responsible.\",\"sentence2_structure\":\"Evaporation<>is<>responsible\"}\n{\"question\":\"What?\",\"gold_label\":\"neutral\",\"sentence1\":\"a\",\"answer\":\"c\",\"sentence2\":\"b\",\"sentence2_structure\":\"\"}\n",
    ),
    (
        "SciTail/dgem_format/scitail_1.0_structure_dev.tsv",
        "An \"introduction.\tReplace another.\tneutral\tReplace<>another<>$$$\nPoisons act.\tPoisons are.\tentails\t\n",
    ),
    // Read as the development set, and as the test set where there is nothing without labels.
    (
        "AX/diagnostic-full.tsv",
        "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis\tLabel\r\n\t\tNegation\t\tArtificial\tThe cat sat on the \"mat.\tThe cat did not sit.\tcontradiction\r\nLexical entailment;Factivity\tCore args\t\tWorld knowledge\tNews\ta\tb\tneutral\r\n",
    ),
];

/// A new folder with the sample files.
pub fn folder() -> tempfile::TempDir {
    folder_of(FILES)
}

/// A new folder with these files.
pub fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        write(folder.path(), name, content.as_bytes());
    }
    folder
}

/// Writes a file, and the folders to it.
pub fn write(folder: &Path, name: &str, content: &[u8]) {
    let path = folder.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, content).unwrap();
}

/// Reads by name.
pub fn read_split(task: &str, folder: &Path, split: Split) -> Result<Dataset, TaskError> {
    read(task.parse::<Task>().unwrap(), folder, split)
}
