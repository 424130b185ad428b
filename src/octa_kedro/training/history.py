import math, torch, pandas as pd
from sklearn.metrics import *
def epoch_metrics(logits,targets):
    p=torch.softmax(logits.double(),1); t=targets.numpy(); k=logits.shape[1]; pred=p.argmax(1).numpy()
    if len(targets.unique())<k: a=math.nan
    elif k==2: a=float(roc_auc_score(t,(logits[:,1]-logits[:,0]).numpy()))
    else: a=sum(float(roc_auc_score((targets==i).numpy(),p[:,i].numpy())) for i in range(k))/k
    return {"val_auroc":a,"val_accuracy":float(accuracy_score(t,pred))}
def memory_gib(d): return 0.0
class HistoryWriter:
    def __init__(self,folder): self.folder=folder
    def write(self,rows,title=""): pd.DataFrame(rows).to_csv(self.folder/"history.csv",index=False)
    close=write
